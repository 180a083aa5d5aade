import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Input } from "antd";
import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate } from "react-router";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import { Field } from "../ui/Field";
import { problemText } from "../ui/problems";
import { Card } from "./Card";

const shortest = 8;

// The token is in the fragment, which no server and no log gets to see; it is
// taken off the address at once, so that the history does not keep it either.
let token = new URLSearchParams(window.location.hash.slice(1)).get("token") ?? "";
if (token) window.history.replaceState(window.history.state, "", window.location.pathname);

export function Component() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [form, setForm] = useState({ email: "", name: "", password: "", again: "" });
  const [checked, setChecked] = useState(false);
  const setup = useQuery({ queryKey: ["setup"], queryFn: () => api.setupNeeded() });
  const create = useMutation({
    mutationFn: () =>
      api.setUp({
        token,
        email: form.email.trim(),
        password: form.password,
        name: form.name.trim() || undefined,
      }),
    onSuccess: async (answer) => {
      token = "";
      queries.setQueryData(["session"], answer);
      queries.setQueryData(["setup"], { needed: false });
      await navigate("/jobs", { replace: true });
    },
  });
  useEffect(() => {
    // The link opened while this page is shown changes the fragment only.
    const again = () => window.location.reload();
    window.addEventListener("hashchange", again);
    return () => window.removeEventListener("hashchange", again);
  }, []);
  useEffect(() => {
    document.title = `${t("account.setUp")} · JobCenter`;
  }, [t]);

  const field = (name: "email" | "password" | "token") => {
    const problem = create.error ? asProblem(create.error) : undefined;
    const wrong = problem?.errors.find((e) => e.location === `body.${name}`);
    return (
      wrong &&
      t(name === "token" ? "account.setUpBadToken" : `invalid.${name}`, { message: wrong.message ?? "" })
    );
  };
  const errors = {
    email: form.email.includes("@") ? undefined : t("account.emailNeeded"),
    password:
      form.password.length >= shortest
        ? undefined
        : t("account.passwordShort", { count: form.password.length }),
    again: form.again === form.password ? undefined : t("account.passwordsDiffer"),
  };
  const show = (key: "email" | "password" | "again") =>
    (checked && errors[key]) || (key === "again" ? undefined : field(key));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (!errors.email && !errors.password && !errors.again) create.mutate();
  };

  if (setup.data?.needed === false && !create.isSuccess) {
    return (
      <Card title={t("account.setUp")}>
        <p>{t("account.setUpDone")}</p>
        <Link to="/login">{t("account.signIn")}</Link>
      </Card>
    );
  }
  if (!token && !create.isSuccess) {
    return (
      <Card title={t("account.setUp")}>
        <p>{t("account.setUpNoToken")}</p>
      </Card>
    );
  }
  const problem = create.error ? asProblem(create.error) : undefined;
  const badToken = problem?.status === 401 || problem?.status === 403 || field("token");
  return (
    <Card title={t("account.setUp")}>
      <p className="muted">{t("account.setUpLead")}</p>
      {problem && (
        <Alert
          type="error"
          showIcon
          role="alert"
          title={badToken ? t("account.setUpBadToken") : problemText(problem, t)}
        />
      )}
      <form onSubmit={submit} noValidate>
        <Field label={t("account.email")} error={show("email")}>
          {(control) => (
            <Input
              {...control}
              type="email"
              autoComplete="username"
              autoFocus
              value={form.email}
              onChange={(e) => setForm({ ...form, email: e.target.value })}
            />
          )}
        </Field>
        <Field label={t("account.name")} hint={t("account.nameHint")}>
          {(control) => (
            <Input
              {...control}
              autoComplete="name"
              value={form.name}
              onChange={(e) => setForm({ ...form, name: e.target.value })}
            />
          )}
        </Field>
        <Field label={t("account.password")} hint={t("account.passwordHint")} error={show("password")}>
          {(control) => (
            <Input.Password
              {...control}
              autoComplete="new-password"
              value={form.password}
              onChange={(e) => setForm({ ...form, password: e.target.value })}
            />
          )}
        </Field>
        <Field label={t("account.passwordAgain")} error={show("again")}>
          {(control) => (
            <Input.Password
              {...control}
              autoComplete="new-password"
              value={form.again}
              onChange={(e) => setForm({ ...form, again: e.target.value })}
            />
          )}
        </Field>
        <Button type="primary" htmlType="submit" block loading={create.isPending}>
          {t("account.create")}
        </Button>
      </form>
    </Card>
  );
}
