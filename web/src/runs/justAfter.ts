// The instant one microsecond later: the bound of what is not older.
export function justAfter(at: string): string {
  const match = /^(.*T\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(at);
  if (!match) return at;
  const micros = Number((match[2] ?? "").padEnd(6, "0").slice(0, 6)) + 1;
  if (micros < 1_000_000) return `${match[1]}.${String(micros).padStart(6, "0")}${match[3]}`;
  return new Date(Math.floor(Date.parse(at) / 1000) * 1000 + 1000).toISOString();
}
