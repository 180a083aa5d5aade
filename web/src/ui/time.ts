import type { TFunction } from "i18next";
import { useSyncExternalStore } from "react";
import { serverNow } from "../api/connection";

// One clock for all countdowns: it ticks at whole seconds, and not at all
// while nobody listens.
const listeners = new Set<() => void>();
let timer = 0;
let now = serverNow();

function tick() {
  now = serverNow();
  for (const listener of listeners) listener();
  timer = window.setTimeout(tick, 1000 - (now % 1000) + 5);
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  if (listeners.size === 1) tick();
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.clearTimeout(timer);
  };
}

export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

export const readerZone = Intl.DateTimeFormat().resolvedOptions().timeZone;

const formats = new Map<string, Intl.DateTimeFormat>();

function parts(at: number, zone: string): Record<string, string> {
  let format = formats.get(zone);
  if (!format) {
    format = new Intl.DateTimeFormat("en-GB", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "2-digit",
      day: "2-digit",
      hour: "2-digit",
      minute: "2-digit",
      second: "2-digit",
    });
    formats.set(zone, format);
  }
  return Object.fromEntries(format.formatToParts(at).map((p) => [p.type, p.value]));
}

// YYYY-MM-DD HH:mm:ss in the zone; the reader's own if none is given.
export function instant(at: string | number, zone = readerZone): string {
  const time = typeof at === "number" ? at : Date.parse(at);
  if (Number.isNaN(time)) return String(at);
  try {
    const p = parts(time, zone);
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second}`;
  } catch {
    return instant(time, "UTC"); // the browser does not know the zone
  }
}

// As instant, without the date if that is today's.
export function shortInstant(at: string | number, zone = readerZone): string {
  const full = instant(at, zone);
  return full.slice(0, 10) === instant(serverNow(), zone).slice(0, 10) ? full.slice(11) : full;
}

export function weekday(date: string, language: string): string {
  const format = new Intl.DateTimeFormat(language === "zh" ? "zh-CN" : "en-GB", {
    weekday: "short",
    timeZone: "UTC",
  });
  return format.format(new Date(`${date}T12:00:00Z`));
}

// "UTC+08:00", as the zone is at that instant.
export function zoneOffset(zone: string, at = Date.now()): string {
  const wall = Date.parse(`${instant(at, zone).replace(" ", "T")}Z`);
  const minutes = Math.round((wall - at) / 60000);
  const sign = minutes < 0 ? "-" : "+";
  const abs = Math.abs(minutes);
  const two = (n: number) => String(n).padStart(2, "0");
  return minutes === 0 ? "UTC" : `UTC${sign}${two(Math.floor(abs / 60))}:${two(abs % 60)}`;
}

const units = [
  ["d", 86_400_000],
  ["h", 3_600_000],
  ["min", 60_000],
  ["s", 1000],
] as const;

// The span in its two largest units: "3 h 12 min".
export function span(ms: number, t: TFunction): string {
  let rest = Math.max(0, ms);
  if (rest < 1000) return t("time.ms", { n: Math.round(rest) });
  if (rest < 10_000 && rest % 1000 >= 50) return t("time.s", { n: (Math.floor(rest / 100) / 10).toFixed(1) });
  const words: string[] = [];
  for (const [unit, size] of units) {
    const n = Math.floor(rest / size);
    rest -= n * size;
    if (n > 0) words.push(t(`time.${unit}`, { n }));
    if (words.length > 0 && (n === 0 || words.length === 2)) break;
  }
  return words.join(" ");
}

// How far the instant is from now, in words; whole seconds.
export function relative(at: string, now: number, t: TFunction): string {
  const ms = Date.parse(at) - now;
  const whole = Math.round(Math.abs(ms) / 1000) * 1000;
  if (whole === 0) return t("time.now");
  return ms > 0 ? t("time.in", { span: span(whole, t) }) : t("time.ago", { span: span(whole, t) });
}

export function bytes(n: number, t: TFunction): string {
  if (n < 1024) return t("size.b", { n });
  if (n < 1024 * 1024) return t("size.kib", { n: (n / 1024).toFixed(1) });
  return t("size.mib", { n: (n / 1024 / 1024).toFixed(1) });
}
