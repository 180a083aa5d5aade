import { LeftOutlined, RightOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { useLocation, useSearchParams } from "react-router";

// The place in a list that is read page by page from a cursor. The cursor is
// in the address; the ones before it, which lead back, are in the history entry.
export function useCursor() {
  const [search, setSearch] = useSearchParams();
  const location = useLocation();
  const cursor = search.get("cursor") ?? "";
  const before: string[] = (location.state as { before?: string[] } | null)?.before ?? [];
  const go = (to: string, back: string[]) => {
    setSearch(
      (old) => {
        const changed = new URLSearchParams(old);
        if (to) changed.set("cursor", to);
        else changed.delete("cursor");
        return changed;
      },
      { state: { before: back } },
    );
    window.scrollTo({ top: 0 });
    // The button may be gone on the page it leads to: the keyboard stays in the list.
    document.getElementById("content")?.focus({ preventScroll: true });
  };
  return {
    cursor,
    page: before.length + 1,
    known: cursor === "" || before.length > 0,
    // The list before is shown until the next is here: its cursor leads nowhere new.
    next: (to: string) => to !== cursor && go(to, [...before, cursor]),
    previous: () => go(before.at(-1) ?? "", before.slice(0, -1)),
  };
}

export function Pager({
  place,
  next,
  shown,
  size,
}: {
  place: ReturnType<typeof useCursor>;
  next?: string;
  shown: number;
  size: number;
}) {
  const { t } = useTranslation();
  if (place.cursor === "" && !next) return null;
  const first = (place.page - 1) * size + 1;
  return (
    <nav className="pager" aria-label={t("jobs.page", { n: place.page })}>
      {place.known && (
        <span className="muted num">
          {first}–{first + shown - 1}
        </span>
      )}
      {place.cursor !== "" && (
        <Button
          icon={<LeftOutlined aria-hidden />}
          onClick={place.previous}
          title={t(place.known ? "action.previous" : "action.first")}
          aria-label={t(place.known ? "action.previous" : "action.first")}
        />
      )}
      {next && (
        <Button
          icon={<RightOutlined aria-hidden />}
          onClick={() => place.next(next)}
          title={t("action.next")}
          aria-label={t("action.next")}
        />
      )}
    </nav>
  );
}

// Filters that live in the address. A change goes back to the first page.
export function useFilters() {
  const [search, setSearch] = useSearchParams();
  return {
    get: (key: string) => search.get(key) ?? "",
    set: (change: Record<string, string>) =>
      setSearch(
        (old) => {
          const changed = new URLSearchParams(old);
          changed.delete("cursor");
          for (const [key, value] of Object.entries(change)) {
            if (value) changed.set(key, value);
            else changed.delete(key);
          }
          return changed;
        },
        { replace: true },
      ),
    clear: () => setSearch(new URLSearchParams(), { replace: true }),
  };
}
