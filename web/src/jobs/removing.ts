import { useSyncExternalStore } from "react";
import { api } from "../api/client";

// Jobs that were deleted a moment ago, with how to call it off: hidden here, deleted
// at the server once the time to undo is over, or when one leaves or signs out.
let removing: ReadonlyMap<string, () => void> = new Map();
const listeners = new Set<() => void>();

function change(to: ReadonlyMap<string, () => void>) {
  removing = to;
  for (const listener of listeners) listener();
}

export function useRemoving(): ReadonlyMap<string, () => void> {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => removing,
  );
}

export function noteRemoving(id: string, callOff: () => void) {
  change(new Map(removing).set(id, callOff));
}

export function forgetRemoving(...ids: string[]) {
  change(new Map([...removing].filter(([id]) => !ids.includes(id))));
}

// Deletes what waits, without waiting longer; requests outlive the page.
export async function removeNow() {
  const ids = [...removing.keys()];
  for (const callOff of removing.values()) callOff();
  await Promise.allSettled(ids.map((id) => api.deleteJob(id, true)));
  forgetRemoving(...ids);
}

window.addEventListener("pagehide", () => void removeNow());
