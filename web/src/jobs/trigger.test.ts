import { describe, expect, it } from "vitest";
import type { Trigger } from "../api/types";
import {
  emptyTrigger,
  meaningOfEmpty,
  readTrigger,
  readWeekdays,
  writeTrigger,
  writeWeekdays,
} from "./trigger";

describe("a stored trigger", () => {
  const stored: Record<string, Trigger> = {
    cron: { type: "cron", month: "6-8", day: "3rd fri", hour: "0-3", timezone: "Asia/Shanghai" },
    "interval with a start to the microsecond": {
      type: "interval",
      seconds: 5,
      timezone: "UTC",
      start_date: "2026-11-22T19:11:13.096849Z",
    },
    "date in an hour that comes twice": {
      type: "date",
      run_date: "2026-10-25T02:30:00+01:00",
      timezone: "Europe/Berlin",
    },
    crontab: { type: "crontab", expression: "*/5 9-17 * * mon-fri", timezone: "Europe/Berlin" },
  };
  for (const [name, trigger] of Object.entries(stored)) {
    it(`comes back from the form as it was: ${name}`, () => {
      expect(writeTrigger(readTrigger(trigger, "UTC"))).toEqual(trigger);
    });
  }

  it("of a kind without inputs, or with keys that have none, is kept until its text changes", () => {
    const quartz = { type: "quartz", expression: "0 0 12 L * ?" } as Trigger;
    const form = readTrigger(quartz, "UTC", 'quartz "0 0 12 L * ?"');
    expect(writeTrigger(form)).toEqual(quartz);
    expect(writeTrigger({ ...form, text: " dates " })).toBe("dates");
    expect(writeTrigger({ ...form, text: " " })).toBeUndefined();
    const jitter = { type: "cron", hour: "3", jitter: "30s" } as unknown as Trigger;
    expect(writeTrigger(readTrigger(jitter, "UTC"))).toEqual(jitter);
  });

  it("shows its bounds as wall time of its zone, and loses what was stored when they change", () => {
    const form = readTrigger(
      { type: "cron", hour: "3", timezone: "Asia/Shanghai", start_date: "2026-11-22T16:00:00Z" },
      "UTC",
    );
    expect(form.start_date).toBe("2026-11-23T00:00:00");
    expect(writeTrigger({ ...form, start_date: "2026-12-01T00:00:00" })).toMatchObject({
      start_date: "2026-12-01T00:00:00",
    });
  });
});

describe("the form", () => {
  it("says nothing before enough is filled in", () => {
    for (const kind of ["date", "interval", "cron", "crontab"] as const) {
      expect(
        writeTrigger({ ...emptyTrigger("UTC"), kind, start_date: "2026-01-01T00:00:00" }),
        kind,
      ).toBeUndefined();
    }
  });

  it("knows what an empty cron field means", () => {
    const cron = { ...emptyTrigger("").cron, hour: "3" };
    expect(meaningOfEmpty(cron, "day")).toBe("*");
    expect(meaningOfEmpty(cron, "minute")).toBe("0");
    expect(meaningOfEmpty(emptyTrigger("").cron, "month")).toBe("1");
    expect(meaningOfEmpty(emptyTrigger("").cron, "day_of_week")).toBe("*");
  });
});

describe("weekdays", () => {
  const cases: [string, string][] = [
    ["mon-fri", "mon-fri"],
    ["sun,mon", "mon,sun"],
    ["mon,tue,wed,sun", "mon-wed,sun"],
    ["", ""],
  ];
  for (const [field, want] of cases) {
    it(`"${field}" is "${want}"`, () => expect(writeWeekdays(readWeekdays(field) ?? new Set())).toBe(want));
  }
  it("leaves what is more than days alone", () => {
    for (const field of ["0-4", "fri-mon", "*/2", "mon#2"])
      expect(readWeekdays(field), field).toBeUndefined();
  });
});
