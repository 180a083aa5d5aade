import { keepPreviousData, useQuery } from "@tanstack/react-query";
import { useEffect, useState, useSyncExternalStore } from "react";
import { api } from "../api/client";
import { refreshEvery } from "../queries";
import { justAfter } from "./justAfter";

export const runPageSize = 50;
const countNew = 20;

// How often a run was started from this page: those are shown at once.
let started = 0;
const listeners = new Set<() => void>();

export function noteStarted() {
  started++;
  for (const listener of listeners) listener();
}

function useStarted() {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => started,
  );
}

export interface RunFilter {
  job?: string;
  state?: string;
  from?: string;
  to?: string;
}

// A page of runs that holds still: rows change in place, but runs that fire
// after it was opened wait to be asked for.
export function useRunList(filter: RunFilter, cursor: string) {
  const own = useStarted();
  const key = JSON.stringify([filter, own]);
  const [held, setHeld] = useState({ key: "", until: "" });
  const until = held.key === key ? held.until : "";
  const list = useQuery({
    queryKey: ["runs", filter, cursor, own, until],
    queryFn: ({ signal }) =>
      api.runs(
        { ...filter, to: until && !cursor ? justAfter(until) : filter.to, cursor, limit: runPageSize },
        signal,
      ),
    placeholderData: keepPreviousData,
    refetchInterval: refreshEvery,
    staleTime: 2000,
  });
  const newer = useQuery({
    queryKey: ["runs", "newer", filter, until],
    queryFn: ({ signal }) => api.runs({ ...filter, from: justAfter(until), limit: countNew + 1 }, signal),
    enabled: until !== "" && cursor === "",
    refetchInterval: refreshEvery,
    staleTime: 2000,
  });
  const newest = list.isPlaceholderData ? undefined : list.data?.items[0]?.fire_time;
  useEffect(() => {
    if (newest && cursor === "")
      setHeld((old) => (old.key === key && old.until ? old : { key, until: newest }));
  }, [newest, cursor, key]);
  const waiting = until && cursor === "" ? (newer.data?.items.length ?? 0) : 0;
  return {
    list,
    waiting,
    waitingMore: waiting > countNew ? countNew : 0,
    show: () => setHeld({ key: "", until: "" }),
  };
}
