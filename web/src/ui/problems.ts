import type { TFunction } from "i18next";
import { asProblem } from "../api/problem";
import { span } from "./time";

const known = [
  "offline",
  "forbidden",
  "conflict",
  "overlap",
  "not_running",
  "body_too_large",
  "never_fires",
  "bad_cursor",
  "internal",
  "unauthenticated",
  "not_found",
  "version_changed",
] as const;

// What went wrong, in the reader's words.
export function problemText(error: unknown, t: TFunction): string {
  const problem = asProblem(error);
  if (problem.code === "too_many_attempts") {
    return problem.retryAfter > 0
      ? t("account.tooMany", { wait: span(problem.retryAfter * 1000, t) })
      : t("error.too_many_attempts");
  }
  if (problem.code === "bad_credentials") return t("account.badCredentials");
  if (problem.code === "invalid_field") {
    return t("error.invalid_field", { detail: problem.errors[0]?.message ?? problem.detail });
  }
  const code = known.find((k) => k === problem.code);
  return code
    ? t(`error.${code}`)
    : t("error.unknown", { detail: problem.detail || problem.code, code: problem.code });
}
