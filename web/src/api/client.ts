import { preferences } from "../preferences";
import { noteAnswer, noteNoAnswer } from "./connection";
import { Problem } from "./problem";
import type { Job, JobInput, Page, Preview, Run, System, Trigger, User } from "./types";

const base = "/api/v1";

type Query = Record<string, string | number | undefined>;

async function call<T>(
  method: string,
  path: string,
  options: { query?: Query; body?: unknown; headers?: Record<string, string>; signal?: AbortSignal } = {},
): Promise<T> {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(options.query ?? {})) {
    if (value !== undefined && value !== "") query.set(key, String(value));
  }
  const headers: Record<string, string> = { "Accept-Language": preferences().language, ...options.headers };
  if (options.body !== undefined) headers["Content-Type"] = "application/json";
  let response: Response;
  try {
    response = await fetch(`${base}${path}${query.size ? `?${query}` : ""}`, {
      method,
      headers,
      body: options.body === undefined ? undefined : JSON.stringify(options.body),
      signal: options.signal,
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    noteNoAnswer();
    throw new Problem(0, "offline", "");
  }
  noteAnswer(response);
  if (response.status === 204) return undefined as T;
  const data = await response.json().catch(() => ({}));
  if (!response.ok) {
    throw new Problem(
      response.status,
      data.code ?? "unknown",
      data.detail ?? data.title ?? "",
      data.errors ?? [],
      Number(response.headers.get("Retry-After") ?? 0),
    );
  }
  return data as T;
}

const id = encodeURIComponent;

export const api = {
  setupNeeded: () => call<{ needed: boolean }>("GET", "/setup"),
  setUp: (body: { token: string; email: string; password: string; name?: string }) =>
    call<{ user: User }>("POST", "/setup", { body }),
  signIn: (body: { email: string; password: string }) => call<{ user: User }>("POST", "/session", { body }),
  session: () => call<{ user: User }>("GET", "/session"),
  signOut: () => call<void>("DELETE", "/session"),
  system: () => call<System>("GET", "/system"),
  timezones: () => call<{ items: string[] }>("GET", "/timezones"),
  preview: (trigger: Trigger, count: number, signal?: AbortSignal) =>
    call<Preview>("POST", "/triggers/preview", { body: { trigger, count }, signal }),

  jobs: (query: Query, signal?: AbortSignal) => call<Page<Job>>("GET", "/jobs", { query, signal }),
  job: (job: string, signal?: AbortSignal) => call<Job>("GET", `/jobs/${id(job)}`, { signal }),
  createJob: (body: JobInput) => call<Job>("POST", "/jobs", { body }),
  replaceJob: (job: string, body: JobInput, version: number) =>
    call<Job>("PUT", `/jobs/${id(job)}`, { body, headers: { "If-Match": `"${version}"` } }),
  deleteJob: (job: string) => call<void>("DELETE", `/jobs/${id(job)}`),
  pauseJob: (job: string) => call<Job>("POST", `/jobs/${id(job)}/pause`),
  resumeJob: (job: string) => call<Job>("POST", `/jobs/${id(job)}/resume`),
  runJob: (job: string) => call<Run>("POST", `/jobs/${id(job)}/run`),

  runs: (query: Query, signal?: AbortSignal) => call<Page<Run>>("GET", "/runs", { query, signal }),
  run: (run: string, signal?: AbortSignal) => call<Run>("GET", `/runs/${id(run)}`, { signal }),
  stopRun: (run: string) => call<Run>("POST", `/runs/${id(run)}/stop`),
};

export function outputURL(run: string): string {
  return `${base}/runs/${id(run)}/output`;
}

export function outputStreamURL(run: string): string {
  return `${base}/runs/${id(run)}/output/stream`;
}
