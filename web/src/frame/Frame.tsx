import {
  LogoutOutlined,
  MenuFoldOutlined,
  MenuUnfoldOutlined,
  ProfileOutlined,
  ScheduleOutlined,
  SearchOutlined,
  UserOutlined,
} from "@ant-design/icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Dropdown } from "antd";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { Link, Navigate, NavLink, Outlet, useLocation, useNavigate } from "react-router";
import { api } from "../api/client";
import { useLostSince } from "../api/connection";
import { asProblem } from "../api/problem";
import { removeNow } from "../jobs/removing";
import { setPreferences, usePreferences } from "../preferences";
import { instant } from "../ui/time";
import { LanguageSwitch, ThemeSwitch } from "./Switches";
import { hasUnsaved, useSession } from "./session";

export function Component() {
  const { t } = useTranslation();
  const { railFolded } = usePreferences();
  const session = useSession();
  const location = useLocation();
  useSearchKey();

  const signedOut = session.error !== null && asProblem(session.error).status === 401;
  if (signedOut && !hasUnsaved()) {
    const next = location.pathname + location.search;
    return (
      <Navigate
        to={next === "/jobs" || next === "/" ? "/login" : `/login?next=${encodeURIComponent(next)}`}
        replace
      />
    );
  }
  return (
    <div className={railFolded ? "frame frame-folded" : "frame"}>
      <a className="skip" href="#content">
        {t("nav.skip")}
      </a>
      <nav className="rail" aria-label={t("nav.label")}>
        <Link to="/jobs" className="brand">
          <img src="/icon.svg" alt="" width="24" height="24" />
          <span>JobCenter</span>
        </Link>
        <NavLink to="/jobs" title={railFolded ? t("nav.jobs") : undefined}>
          <ScheduleOutlined aria-hidden /> <span>{t("nav.jobs")}</span>
        </NavLink>
        <NavLink to="/runs" title={railFolded ? t("nav.runs") : undefined}>
          <ProfileOutlined aria-hidden /> <span>{t("nav.runs")}</span>
        </NavLink>
        <Button
          className="fold"
          type="text"
          icon={railFolded ? <MenuUnfoldOutlined aria-hidden /> : <MenuFoldOutlined aria-hidden />}
          aria-label={t(railFolded ? "nav.unfold" : "nav.fold")}
          title={t(railFolded ? "nav.unfold" : "nav.fold")}
          onClick={() => setPreferences({ railFolded: !railFolded })}
        />
      </nav>
      <header className="header">
        <div id="page-title" className="page-title" />
        <SearchButton />
        <ThemeSwitch />
        <LanguageSwitch />
        <UserMenu />
      </header>
      <main id="content" className="content" tabIndex={-1}>
        <Notices signedOut={signedOut} />
        <Outlet />
      </main>
    </div>
  );
}

function Notices({ signedOut }: { signedOut: boolean }) {
  const { t } = useTranslation();
  const lostSince = useLostSince();
  const system = useQuery({ queryKey: ["system"], queryFn: () => api.system(), refetchInterval: 15_000 });
  return (
    <div role="status">
      {signedOut && (
        <p className="notice">
          {t("frame.signedOut")}{" "}
          <a href="/login" target="_blank" rel="noreferrer">
            {t("account.signIn")}
          </a>
        </p>
      )}
      {lostSince > 0 && <p className="notice">{t("frame.reconnecting", { time: instant(lostSince) })}</p>}
      {lostSince === 0 && system.data?.healthy === false && (
        <p className="notice">{t("frame.unhealthy", { problem: system.data.problem })}</p>
      )}
    </div>
  );
}

function SearchButton() {
  const { t } = useTranslation();
  const search = useFocusSearch();
  return (
    <Button
      className="header-search"
      icon={<SearchOutlined aria-hidden />}
      onClick={search}
      aria-keyshortcuts="/"
      aria-label={t("frame.search")}
    >
      <span className="header-search-text">{t("frame.search")}</span>
      <kbd>/</kbd>
    </Button>
  );
}

// Where the search field of a page is; the jobs' one if it has none.
function useFocusSearch() {
  const navigate = useNavigate();
  return () => {
    const field = document.querySelector<HTMLInputElement>("input[data-search]");
    if (field) field.focus();
    else void navigate("/jobs", { state: { focusSearch: true } });
  };
}

function useSearchKey() {
  const search = useFocusSearch();
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      const target = event.target as HTMLElement;
      if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
      if (target.closest("input, textarea, select, [contenteditable], [role=combobox]")) return;
      event.preventDefault();
      search();
    };
    document.addEventListener("keydown", onKey);
    return () => document.removeEventListener("keydown", onKey);
  });
}

function UserMenu() {
  const { t } = useTranslation();
  const session = useSession();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const user = session.data?.user;
  const signOut = async () => {
    await removeNow();
    await api.signOut().catch(() => undefined);
    queries.clear();
    await navigate("/login");
  };
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        onClick: ({ key }) => key === "out" && void signOut(),
        items: [
          {
            key: "who",
            type: "group",
            label: user ? (
              <span className="who">
                {user.name || user.email}
                <br />
                {user.name && <>{user.email} · </>}
                {t(`role.${user.role}`)}
              </span>
            ) : null,
          },
          { key: "out", icon: <LogoutOutlined aria-hidden />, label: t("frame.signOut") },
        ],
      }}
    >
      <Button
        type="text"
        icon={<UserOutlined aria-hidden />}
        aria-label={t("frame.account")}
        title={user?.email}
        data-testid="account"
      />
    </Dropdown>
  );
}
