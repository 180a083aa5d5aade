import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api } from "../api/client";
import type { Run } from "../api/types";
import { refreshEvery } from "../queries";
import { instant, span } from "../ui/time";

const count = 50;

// The last runs of a job as bars, oldest on the left: the colour is the state,
// the height the duration. Runs that never ran are low and hollow.
export function RunBars({ job }: { job: string }) {
  const { t } = useTranslation();
  const runs = useQuery({
    queryKey: ["runs", "bars", job],
    queryFn: ({ signal }) => api.runs({ job, limit: count }, signal),
    refetchInterval: refreshEvery,
  });
  const items = [...(runs.data?.items ?? [])].reverse();
  const longest = Math.max(1, ...items.map((run) => run.duration_ms ?? 0));
  const name = (run: Run) => {
    const [state, when] = [t(`runState.${run.state}`), instant(run.fire_time)];
    return run.duration_ms == null
      ? t("job.barNot", { state, when })
      : t("job.bar", { state, when, took: span(run.duration_ms, t) });
  };
  return (
    <div className="job-bars">
      <h2>{t("job.lastRuns", { count: items.length || count })}</h2>
      <ol className="bars" style={{ gridTemplateColumns: `repeat(${count}, 1fr)` }}>
        {Array.from({ length: count - items.length }, (_, i) => (
          // biome-ignore lint/suspicious/noArrayIndexKey: the empty places are all alike
          <li key={i} className="bar-none" aria-hidden />
        ))}
        {items.map((run) => (
          <li key={run.id}>
            <Link
              to={`/runs/${run.id}`}
              className={`bar bar-${run.state}`}
              style={{ height: `${height(run, longest)}%` }}
              title={name(run)}
              aria-label={name(run)}
            />
          </li>
        ))}
      </ol>
    </div>
  );
}

// Logarithmic, so that one long run does not flatten all others.
function height(run: Run, longest: number): number {
  if (run.state === "running") return 100;
  if (run.duration_ms == null) return 22;
  return 22 + 78 * (Math.log1p(run.duration_ms) / Math.log1p(longest));
}
