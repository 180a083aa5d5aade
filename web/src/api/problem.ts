export interface FieldError {
  location?: string;
  message?: string;
  value?: unknown; // that is wrong; empty if it is missing
}

// A Problem is what a request failed with: the server's problem+json, or
// status 0 and code "offline" when no answer came.
export class Problem extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    readonly detail: string,
    readonly errors: FieldError[] = [],
    readonly retryAfter = 0,
  ) {
    super(detail || code);
  }
}

export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem(0, "unknown", error instanceof Error ? error.message : String(error));
}
