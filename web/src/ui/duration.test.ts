import { describe, expect, it } from "vitest";
import { justAfter } from "../runs/justAfter";
import { amountOf, goDuration, seconds } from "./duration";

describe("durations", () => {
  const cases: [string, number | undefined][] = [
    ["10m0s", 600],
    ["1h30m0s", 5400],
    ["1.5s", 1.5],
    ["250ms", 0.25],
    ["10", undefined],
    ["", undefined],
  ];
  for (const [text, want] of cases) it(`"${text}" is ${want} s`, () => expect(seconds(text)).toBe(want));

  it("are shown in the largest unit that fits", () => {
    expect(amountOf("1h30m0s")).toEqual({ amount: 90, unit: "m" });
    expect(amountOf("48h0m0s")).toEqual({ amount: 2, unit: "d" });
    expect(amountOf("1.5s")).toEqual({ amount: 1.5, unit: "s" });
    expect(goDuration(2, "d")).toBe("48h");
  });
});

describe("the instant just after", () => {
  const cases: [string, string][] = [
    ["2026-11-22T19:11:13Z", "2026-11-22T19:11:13.000001Z"],
    ["2026-11-22T19:11:13.096849Z", "2026-11-22T19:11:13.096850Z"],
    ["2026-11-22T19:11:13.1Z", "2026-11-22T19:11:13.100001Z"],
    ["2026-11-22T19:11:59.999999Z", "2026-11-22T19:12:00.000Z"],
  ];
  for (const [at, want] of cases) it(at, () => expect(justAfter(at)).toBe(want));
});
