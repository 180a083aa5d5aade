import { useSyncExternalStore } from "react";

// Whether the server answers, and how far its clock is from this one: known
// from every answer, so that no request is spent on asking.
let lostSince = 0;
let skew = 0;
const listeners = new Set<() => void>();

export function noteAnswer(response: Response) {
  const date = Date.parse(response.headers.get("Date") ?? "");
  // The header has whole seconds: less than that is no difference.
  if (!Number.isNaN(date)) skew = Math.abs(date - Date.now()) > 1500 ? date - Date.now() : 0;
  change(0);
}

export function noteNoAnswer() {
  if (lostSince === 0) change(Date.now());
}

function change(to: number) {
  if (to === lostSince) return;
  lostSince = to;
  for (const listener of listeners) listener();
}

// The server's time now, in milliseconds.
export function serverNow(): number {
  return Date.now() + skew;
}

// When the server was found not to answer; 0 while it does.
export function useLostSince(): number {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => lostSince,
  );
}
