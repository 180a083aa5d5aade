import type { TFunction } from "i18next";
import type { FieldError } from "../api/problem";
import type { Job, JobInput } from "../api/types";
import { emptyTrigger, readTrigger, type TriggerForm, writeTrigger } from "./trigger";

export interface Variable {
  key: number;
  name: string;
  value: string;
}

// What the editor holds. Empty text and null mean that the default applies.
export interface JobForm {
  id: string;
  name: string;
  command: string;
  directory: string;
  environment: Variable[];
  tags: string[];
  trigger: TriggerForm;
  timeout: string;
  grace: "default" | "own" | "unlimited";
  graceOwn: string;
  coalesce: NonNullable<JobInput["coalesce"]>;
  instances: number | null;
  paused: boolean;
}

export function emptyForm(timezone: string): JobForm {
  return {
    id: "",
    name: "",
    command: "",
    directory: "",
    environment: [],
    tags: [],
    trigger: emptyTrigger(timezone),
    timeout: "",
    grace: "default",
    graceOwn: "",
    coalesce: "latest",
    instances: null,
    paused: false,
  };
}

export function readJob(job: Job, serverZone: string): JobForm {
  return {
    id: job.id,
    name: job.name === job.id ? "" : job.name,
    command: job.task.command ?? "",
    directory: job.task.directory ?? "",
    environment: Object.entries(job.task.environment ?? {}).map(([name, value], key) => ({
      key,
      name,
      value,
    })),
    tags: job.tags ?? [],
    trigger: readTrigger(job.trigger, serverZone, job.trigger_text),
    timeout: job.timeout ?? "",
    grace: !job.misfire_grace ? "default" : job.misfire_grace === "unlimited" ? "unlimited" : "own",
    graceOwn: job.misfire_grace && job.misfire_grace !== "unlimited" ? job.misfire_grace : "",
    coalesce: job.coalesce || "latest",
    instances: job.max_instances && job.max_instances > 1 ? job.max_instances : null,
    paused: job.paused ?? false,
  };
}

export function writeJob(form: JobForm): JobInput | undefined {
  const trigger = writeTrigger(form.trigger);
  if (!trigger) return undefined;
  const job: JobInput = { task: { type: "shell", command: form.command }, trigger };
  if (form.id.trim()) job.id = form.id.trim();
  if (form.name.trim()) job.name = form.name.trim();
  if (form.directory.trim()) job.task.directory = form.directory.trim();
  const variables = form.environment.filter((v) => v.name.trim() !== "");
  if (variables.length > 0)
    job.task.environment = Object.fromEntries(variables.map((v) => [v.name.trim(), v.value]));
  if (form.tags.length > 0) job.tags = form.tags;
  if (form.timeout) job.timeout = form.timeout;
  if (form.grace === "unlimited") job.misfire_grace = "unlimited";
  if (form.grace === "own" && form.graceOwn) job.misfire_grace = form.graceOwn;
  if (form.coalesce !== "latest") job.coalesce = form.coalesce;
  if (form.instances) job.max_instances = form.instances;
  if (form.paused) job.paused = true;
  return job;
}

// The words for what is wrong with a field, by the field's path in the form.
const wordOf = {
  id: "id",
  name: "name",
  "task.command": "command",
  "task.directory": "directory",
  "task.environment": "environment",
  tags: "tags",
  "trigger.run_date": "run_date",
  "trigger.expression": "expression",
  "trigger.timezone": "timezone",
  "trigger.start_date": "start_date",
  "trigger.end_date": "end_date",
  "trigger.weeks": "interval",
  "trigger.days": "interval",
  "trigger.hours": "interval",
  "trigger.minutes": "interval",
  "trigger.seconds": "interval",
  "trigger.year": "year",
  "trigger.month": "month",
  "trigger.day": "day",
  "trigger.week": "week",
  "trigger.day_of_week": "day_of_week",
  "trigger.hour": "hour",
  "trigger.minute": "minute",
  "trigger.second": "second",
  timeout: "timeout",
  misfire_grace: "misfire_grace",
  coalesce: "coalesce",
  max_instances: "max_instances",
} as const;

// The form's errors by field, from locations of the server such as
// "body.trigger.hour"; what belongs to no field is under "". A trigger that is
// written as one line has one field for all that is wrong with it.
export function fieldErrors(errors: FieldError[], t: TFunction, line: boolean): Record<string, string> {
  const found: Record<string, string> = {};
  for (const { location = "", message = "", value } of errors) {
    const path = location.replace(/^body\.?/, "");
    if (line && path.startsWith("trigger")) {
      const key = path.replace(/^trigger\.?/, "") || t("editor.trigger");
      found["trigger.text"] ??= value
        ? t("invalid.lineValue", { key, value: String(value), message })
        : t("invalid.line", { key, message });
      continue;
    }
    const field = (Object.keys(wordOf) as (keyof typeof wordOf)[]).find(
      (name) => path === name || path.startsWith(`${name}.`) || path.startsWith(`${name}[`),
    );
    if (field) found[field] ??= t(`invalid.${wordOf[field]}`, { message });
    else if (path.startsWith("trigger")) found.trigger ??= t("invalid.trigger", { message });
    else found[""] ??= t("invalid.any", { message });
  }
  return found;
}
