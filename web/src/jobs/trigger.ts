import type { Trigger } from "../api/types";
import { instant } from "../ui/time";

export const cronFields = [
  "year",
  "month",
  "day",
  "week",
  "day_of_week",
  "hour",
  "minute",
  "second",
] as const;
export type CronField = (typeof cronFields)[number];

export const intervalUnits = ["weeks", "days", "hours", "minutes", "seconds"] as const;
export type IntervalUnit = (typeof intervalUnits)[number];

export type Kind = "date" | "interval" | "cron" | "crontab" | "more";

// A trigger of any kind, with its keys by name.
type Loose = { type: string } & Record<string, unknown>;

// What the form holds about a trigger: every kind's inputs, so that changing
// the kind and back loses nothing.
export interface TriggerForm {
  kind: Kind;
  run_date: string; // wall time, YYYY-MM-DDTHH:mm:ss
  interval: Record<IntervalUnit, number | null>;
  cron: Record<CronField, string>;
  expression: string;
  text: string; // of a kind that has no inputs of its own, as one line
  timezone: string; // empty: the server's
  start_date: string;
  end_date: string;
  // Keys that the form has no input for, or the whole of a trigger without inputs.
  kept: Record<string, unknown>;
  // Bounds as they were stored, by the wall time that the form shows for
  // them: what is not changed is written back exactly.
  given: Record<string, string>;
}

export function emptyTrigger(timezone: string): TriggerForm {
  return {
    kind: "cron",
    run_date: "",
    interval: { weeks: null, days: null, hours: null, minutes: null, seconds: null },
    cron: { year: "", month: "", day: "", week: "", day_of_week: "", hour: "", minute: "", second: "" },
    expression: "",
    text: "",
    timezone,
    start_date: "",
    end_date: "",
    kept: {},
    given: {},
  };
}

// The wall time in the zone of a time that may carry an offset.
function wall(value: unknown, zone: string): string {
  if (typeof value !== "string" || value === "") return "";
  if (!/(Z|[+-]\d\d:\d\d)$/.test(value))
    return value.length === 10 ? `${value}T00:00:00` : value.slice(0, 19);
  return instant(value, zone || "UTC").replace(" ", "T");
}

const timeKeys = ["run_date", "start_date", "end_date"] as const;

const ownKeys = new Set<string>([
  "type",
  "run_date",
  "expression",
  "timezone",
  "start_date",
  "end_date",
  ...cronFields,
  ...intervalUnits,
]);

export function readTrigger(from: Trigger, serverZone: string, text = ""): TriggerForm {
  const trigger = typeof from === "string" ? { type: "" } : ({ ...from } as Loose);
  const timezone = typeof trigger.timezone === "string" ? trigger.timezone : "";
  const form = emptyTrigger(timezone);
  const zone = timezone || serverZone;
  form.kind =
    (["date", "interval", "cron", "crontab"] as const).find((kind) => kind === trigger.type) ?? "more";
  for (const key of timeKeys) {
    form[key] = wall(trigger[key], zone);
    if (form[key]) form.given[givenKey(form, key)] = String(trigger[key]);
  }
  form.expression = String(trigger.expression ?? "");
  for (const field of cronFields)
    form.cron[field] = trigger[field] === undefined ? "" : String(trigger[field]);
  for (const unit of intervalUnits) {
    const n = Number(trigger[unit] ?? 0);
    form.interval[unit] = n > 0 ? n : null;
  }
  form.text = text;
  form.given[`text ${text}`] = text;
  form.kept =
    form.kind === "more"
      ? trigger
      : Object.fromEntries(Object.entries(trigger).filter(([key]) => !ownKeys.has(key)));
  return form;
}

function givenKey(form: TriggerForm, key: (typeof timeKeys)[number]): string {
  return `${key} ${form[key]} ${form.timezone}`;
}

// The trigger that the form says; undefined while too little is filled in.
export function writeTrigger(form: TriggerForm): Trigger | undefined {
  return write(form) as Trigger | undefined;
}

function write(form: TriggerForm): Loose | string | undefined {
  if (form.kind === "more") {
    // What is not changed is written back as it was stored.
    if (form.kept.type && `text ${form.text}` in form.given) return form.kept as Loose;
    return form.text.trim() || undefined;
  }
  const trigger: Loose = { ...form.kept, type: form.kind };
  if (form.timezone) trigger.timezone = form.timezone;
  if (form.kind === "date") {
    if (!form.run_date) return undefined;
    trigger.run_date = form.given[givenKey(form, "run_date")] ?? form.run_date;
    return trigger;
  }
  for (const key of ["start_date", "end_date"] as const) {
    if (form[key]) trigger[key] = form.given[givenKey(form, key)] ?? form[key];
  }
  const before = Object.keys(trigger).length;
  if (form.kind === "interval") {
    for (const unit of intervalUnits) if (form.interval[unit]) trigger[unit] = form.interval[unit];
  }
  if (form.kind === "cron") {
    for (const field of cronFields) if (form.cron[field].trim()) trigger[field] = form.cron[field].trim();
  }
  if (form.kind === "crontab" && form.expression.trim()) trigger.expression = form.expression.trim();
  return Object.keys(trigger).length > before ? trigger : undefined;
}

// What an empty cron field means: any value, if a finer field is filled in;
// else the least one. Weeks and weekdays do not limit unless they are filled in.
export function meaningOfEmpty(cron: Record<CronField, string>, field: CronField): string {
  const finer = cronFields.slice(cronFields.indexOf(field) + 1);
  if (field === "year" || field === "week" || field === "day_of_week") return "*";
  if (finer.some((f) => cron[f].trim() !== "")) return "*";
  return field === "month" || field === "day" ? "1" : "0";
}

export type Preset = "everyMinute" | "hourly" | "daily" | "workdays" | "weekly" | "monthly" | "lastDay";

export const presets: Record<Preset, Partial<Record<CronField, string>>> = {
  everyMinute: { minute: "*" },
  hourly: { minute: "0" },
  daily: { hour: "2", minute: "30" },
  workdays: { day_of_week: "mon-fri", hour: "9", minute: "0" },
  weekly: { day_of_week: "mon", hour: "9", minute: "0" },
  monthly: { day: "1", hour: "3", minute: "0" },
  lastDay: { day: "last", hour: "23", minute: "0" },
};

// Kinds without inputs of their own, each with an example of its text.
export const textExamples = {
  quartz: 'quartz "0 0 12 L * ?"',
  calendar_interval: "calendar_interval months=1 hour=9 start_date=2026-01-31",
  daily_time_interval:
    'daily_time_interval every=10 unit=minute from=09:00 to=17:00 days_of_week=["mon","fri"]',
  rrule: 'rrule "FREQ=MONTHLY;BYDAY=-1FR" start_date=2026-01-01T09:00:00',
  dates: 'dates run_dates=["2031-01-01","2031-02-01T09:00:00"]',
  or: 'or (crontab "0 9 * * *") (interval hours=7)',
  and: "and (cron day=13) (cron day_of_week=fri)",
} as const;

export const weekdays = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"] as const;
export type Weekday = (typeof weekdays)[number];

// The weekdays that a field names; undefined if it says more than days and
// ranges of them.
export function readWeekdays(field: string): Set<Weekday> | undefined {
  const days = new Set<Weekday>();
  for (const part of field
    .toLowerCase()
    .split(",")
    .map((p) => p.trim())) {
    if (part === "" && field.trim() === "") break;
    const [from, to, more] = part.split("-");
    const a = weekdays.indexOf(from as Weekday);
    const b = to === undefined ? a : weekdays.indexOf(to as Weekday);
    if (a < 0 || b < a || more !== undefined) return undefined;
    for (let i = a; i <= b; i++) days.add(weekdays[i] as Weekday);
  }
  return days;
}

// Three neighbouring days or more as a range: "mon-fri".
export function writeWeekdays(days: Set<Weekday>): string {
  const parts: string[] = [];
  for (let i = 0; i < weekdays.length; i++) {
    if (!days.has(weekdays[i] as Weekday)) continue;
    let j = i;
    while (j + 1 < weekdays.length && days.has(weekdays[j + 1] as Weekday)) j++;
    if (j - i >= 2) parts.push(`${weekdays[i]}-${weekdays[j]}`);
    else for (let k = i; k <= j; k++) parts.push(weekdays[k] as string);
    i = j;
  }
  return parts.join(",");
}

// The zone to show beside a plan.
export function zoneOf(trigger: Trigger): string {
  return typeof trigger !== "string" && typeof trigger.timezone === "string" ? trigger.timezone : "";
}
