import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Input } from "antd";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useNavigate, useSearchParams } from "react-router";
import { api } from "../api/client";
import { Field } from "../ui/Field";
import { problemText } from "../ui/problems";
import { Card } from "./Card";

export function Component() {
  const { t } = useTranslation();
  const navigate = useNavigate();
  const [search] = useSearchParams();
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [checked, setChecked] = useState(false);
  const form = useRef<HTMLFormElement>(null);
  const setup = useQuery({ queryKey: ["setup"], queryFn: () => api.setupNeeded() });
  const signIn = useMutation({
    mutationFn: () => api.signIn({ email: email.trim(), password }),
    onSuccess: async (answer) => {
      queries.setQueryData(["session"], answer);
      await navigate(safePath(search.get("next")), { replace: true });
    },
    onError: () => {
      setPassword("");
      form.current?.querySelector<HTMLInputElement>("input[type=password]")?.focus();
    },
  });
  const emailError = checked && !email.trim() ? t("account.emailNeeded") : undefined;
  const passwordError = checked && !password && !signIn.isError ? t("account.passwordNeeded") : undefined;

  useEffect(() => {
    document.title = `${t("account.signIn")} · JobCenter`;
  }, [t]);

  const submit = (event: FormEvent) => {
    event.preventDefault();
    setChecked(true);
    if (email.trim() && password) signIn.mutate();
    else signIn.reset();
  };
  return (
    <Card title={t("account.signIn")}>
      {setup.data?.needed && <Alert type="info" showIcon title={t("account.setUpFirst")} />}
      {signIn.isError && <Alert type="error" showIcon title={problemText(signIn.error, t)} role="alert" />}
      <form onSubmit={submit} noValidate ref={form}>
        <Field label={t("account.email")} error={emailError}>
          {(control) => (
            <Input
              {...control}
              type="email"
              autoComplete="username"
              autoFocus
              value={email}
              onChange={(e) => setEmail(e.target.value)}
            />
          )}
        </Field>
        <Field label={t("account.password")} error={passwordError}>
          {(control) => (
            <Input.Password
              {...control}
              autoComplete="current-password"
              value={password}
              onChange={(e) => setPassword(e.target.value)}
            />
          )}
        </Field>
        <Button type="primary" htmlType="submit" block loading={signIn.isPending}>
          {t("account.signIn")}
        </Button>
      </form>
    </Card>
  );
}

// Only a path of this console: never an address of another host.
function safePath(next: string | null): string {
  return next?.startsWith("/") && !next.startsWith("//") && !next.includes("\\") ? next : "/jobs";
}
