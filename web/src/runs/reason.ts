import type { TFunction } from "i18next";
import type { Run } from "../api/types";

const known = [
  "misfire",
  "coalesced",
  "catch_up",
  "overlap",
  "queue_full",
  "paused",
  "skip",
  "calendar",
  "veto",
  "removed",
  "error",
  "signal",
  "panic",
  "start_failed",
  "bad_args",
  "timeout",
  "cancel",
  "shutdown",
  "node_died",
] as const;

// Why a run is in its state, in the reader's words.
export function reasonText(run: Run, t: TFunction): string {
  if (run.state === "queued" || run.state === "running") return t(`reason.${run.state}`);
  if (run.reason === "exit_code") return t("reason.exit_code", { code: run.exit_code ?? "?" });
  if (run.reason === "stop") return t("reason.stop");
  const word = known.find((k) => k === run.reason);
  if (word) return t(`reason.${word}`);
  return run.state === "succeeded" ? t("reason.none") : run.reason;
}

const origins = ["schedule", "manual", "api", "backfill", "chain"] as const;

export function originText(run: Run, t: TFunction): string {
  const word = origins.find((k) => k === run.origin);
  return word ? t(`origin.${word}`) : run.origin;
}
