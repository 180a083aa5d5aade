export interface User {
  id: string;
  email: string;
  name: string;
  role: "viewer" | "operator" | "admin";
  created_at: string;
}

export interface System {
  version: string;
  node: string;
  timezone: string;
  started_at: string;
  now: string;
  healthy: boolean;
  problem: string;
}

export interface Task {
  type: string;
  command?: string;
  directory?: string;
  environment?: Record<string, string>;
}

export type Trigger = { type: string } & Record<string, unknown>;

export type RunState =
  | "queued"
  | "running"
  | "succeeded"
  | "failed"
  | "timed_out"
  | "stopped"
  | "lost"
  | "missed"
  | "skipped";

export type JobState = "active" | "paused" | "finished" | "quarantined";

export interface JobInput {
  id?: string;
  name?: string;
  task: Task;
  trigger: Trigger;
  misfire_grace?: string;
  coalesce?: string;
  overlap?: string;
  max_instances?: number;
  timeout?: string;
  tags?: string[];
  paused?: boolean;
}

export interface Job extends JobInput {
  id: string;
  name: string;
  description: string;
  version: number;
  state: JobState;
  quarantine: string;
  next_fire_time: string | null;
  active_runs: number;
  last_run: Run | null;
  created_at: string;
  updated_at: string;
}

export interface Run {
  id: string;
  job_id: string;
  job_name: string;
  job_version: number;
  fire_time: string;
  last_fire_time: string;
  fire_count: number;
  origin: string;
  actor: string;
  state: RunState;
  reason: string;
  message: string;
  attempt: number;
  node: string;
  started_at: string | null;
  ended_at: string | null;
  exit_code: number | null;
  lateness_ms: number | null;
  duration_ms: number | null;
  output_size: number;
  output_kept: number;
}

export interface Page<T> {
  items: T[];
  next_cursor?: string;
}

export interface Preview {
  fires: { time: string; note?: string }[];
  exhausted: boolean;
  description: string;
  warnings: string[];
}
