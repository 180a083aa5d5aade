import createClient, { type Middleware } from "openapi-fetch";
import { preferences } from "../preferences";
import { noteAnswer, noteNoAnswer } from "./connection";
import { Problem } from "./problem";
import type { operations, paths } from "./schema";
import type { JobInput, Trigger } from "./types";

const client = createClient<paths>();

const watch: Middleware = {
  onRequest({ request }) {
    request.headers.set("Accept-Language", preferences().language);
  },
  onResponse({ response }) {
    noteAnswer(response);
  },
  onError({ error }) {
    if (error instanceof DOMException && error.name === "AbortError") return;
    noteNoAnswer();
    return new Problem(0, "offline", "");
  },
};
client.use(watch);

interface Answer<T> {
  data?: T;
  error?: {
    code?: string;
    detail?: string;
    errors?: { location: string; message: string; value?: unknown }[];
  };
  response: Response;
}

// The data of an answer; its problem is thrown.
async function data<T>(answer: Promise<Answer<T>>): Promise<T> {
  const { data, error, response } = await answer;
  if (response.ok) return data as T;
  const retryAfter = Number(response.headers.get("Retry-After") ?? 0);
  throw new Problem(
    response.status,
    error?.code ?? "unknown",
    error?.detail ?? "",
    error?.errors,
    retryAfter,
  );
}

// Filters that are not set are left out.
function set<Q extends object>(query: { [K in keyof Q]?: unknown }): Q {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== "" && value != null)) as Q;
}

export type JobQuery = NonNullable<operations["list-jobs"]["parameters"]["query"]>;
export type RunQuery = NonNullable<operations["list-runs"]["parameters"]["query"]>;

const one = (id: string) => ({ params: { path: { id } } });

export const api = {
  setupNeeded: () => data(client.GET("/api/v1/setup")),
  setUp: (body: { token: string; email: string; password: string; name?: string }) =>
    data(client.POST("/api/v1/setup", { body })),
  signIn: (body: { email: string; password: string }) => data(client.POST("/api/v1/session", { body })),
  session: () => data(client.GET("/api/v1/session")),
  signOut: () => data(client.DELETE("/api/v1/session")),
  system: () => data(client.GET("/api/v1/system")),
  timezones: () => data(client.GET("/api/v1/timezones")),
  // The job's id chooses some of the fire times.
  preview: (trigger: Trigger, count: number, jobId: string, signal?: AbortSignal) =>
    data(
      client.POST("/api/v1/triggers/preview", {
        body: { trigger, count, ...(jobId && { job_id: jobId }) },
        signal,
      }),
    ),

  // Values of filters come from the address: the server says what is wrong with one.
  jobs: (query: { [K in keyof JobQuery]?: unknown }, signal?: AbortSignal) =>
    data(client.GET("/api/v1/jobs", { params: { query: set<JobQuery>(query) }, signal })),
  job: (id: string, signal?: AbortSignal) => data(client.GET("/api/v1/jobs/{id}", { ...one(id), signal })),
  createJob: (body: JobInput) => data(client.POST("/api/v1/jobs", { body })),
  replaceJob: (id: string, body: JobInput, version: number) =>
    data(
      client.PUT("/api/v1/jobs/{id}", {
        params: { path: { id }, header: { "If-Match": `"${version}"` } },
        body,
      }),
    ),
  deleteJob: (id: string, keepalive = false) =>
    data(client.DELETE("/api/v1/jobs/{id}", { ...one(id), keepalive })),
  pauseJob: (id: string) => data(client.POST("/api/v1/jobs/{id}/pause", one(id))),
  resumeJob: (id: string) => data(client.POST("/api/v1/jobs/{id}/resume", one(id))),
  runJob: (id: string) => data(client.POST("/api/v1/jobs/{id}/run", one(id))),

  runs: (query: { [K in keyof RunQuery]?: unknown }, signal?: AbortSignal) =>
    data(client.GET("/api/v1/runs", { params: { query: set<RunQuery>(query) }, signal })),
  run: (id: string, signal?: AbortSignal) => data(client.GET("/api/v1/runs/{id}", { ...one(id), signal })),
  stopRun: (id: string) => data(client.POST("/api/v1/runs/{id}/stop", one(id))),
};

export function outputURL(run: string): string {
  return `/api/v1/runs/${encodeURIComponent(run)}/output`;
}

export function outputStreamURL(run: string): string {
  return `${outputURL(run)}/stream`;
}
