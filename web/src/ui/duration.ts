const sizes: Record<string, number> = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600 };

// Seconds of a Go duration such as "1h30m0s"; undefined if it is none.
export function seconds(text: string): number | undefined {
  if (!/^([\d.]+(ns|us|µs|ms|s|m|h))+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, n, unit] of text.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g))
    sum += Number(n) * (sizes[unit ?? ""] ?? 0);
  return sum;
}

export type Unit = "s" | "m" | "h" | "d";
export const unitSeconds: Record<Unit, number> = { s: 1, m: 60, h: 3600, d: 86400 };

// The amount in the largest unit that fits it without a remainder.
export function amountOf(text: string): { amount: number; unit: Unit } {
  const total = seconds(text) ?? 0;
  for (const unit of ["d", "h", "m"] as const) {
    if (total > 0 && total % unitSeconds[unit] === 0) return { amount: total / unitSeconds[unit], unit };
  }
  return { amount: total, unit: "s" };
}

// Go knows no days.
export function goDuration(amount: number, unit: Unit): string {
  return unit === "d" ? `${amount * 24}h` : `${amount}${unit}`;
}
