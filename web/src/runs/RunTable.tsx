import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import type { Run } from "../api/types";
import { RunStateTag } from "../ui/State";
import { Instant, Relative, Since } from "../ui/Times";
import { instant, readerZone, span } from "../ui/time";
import { originText, reasonText } from "./reason";

export function RunTable({ runs, withJob, busy }: { runs: Run[]; withJob: boolean; busy: boolean }) {
  const { t } = useTranslation();
  return (
    <table
      className={withJob ? "list runs" : "list runs runs-of-job"}
      aria-label={t("runs.title")}
      aria-busy={busy}
    >
      <thead>
        <tr>
          <th scope="col" className="c-state">
            {t("runs.state")}
          </th>
          {withJob && <th scope="col">{t("runs.job")}</th>}
          <th scope="col" className="c-time">
            {t("runs.fireTime")} <span className="muted">{readerZone}</span>
          </th>
          <th scope="col" className="c-num">
            {t("runs.took")}
          </th>
          <th scope="col" className="c-num">
            {t("runs.late")}
          </th>
          <th scope="col">{t("runs.origin")}</th>
        </tr>
      </thead>
      <tbody>
        {runs.map((run) => (
          <tr key={run.id}>
            <td className="c-state">
              <Link to={`/runs/${run.id}`} className="plain">
                <RunStateTag state={run.state} />
              </Link>
            </td>
            {withJob && (
              <td className="c-name">
                <Link to={`/jobs/${encodeURIComponent(run.job_id)}`} className="cut" title={run.job_name}>
                  {run.job_name || run.job_id}
                </Link>
              </td>
            )}
            <td className="c-time">
              <Link to={`/runs/${run.id}`}>
                <Instant at={run.fire_time} />
              </Link>
              <div className="second">
                <Relative at={run.fire_time} />
              </div>
            </td>
            <td className="c-num num" data-label={t("runs.took")}>
              {run.state === "running" && run.started_at ? (
                <Since at={run.started_at} />
              ) : run.duration_ms != null ? (
                span(run.duration_ms, t)
              ) : (
                <span className="muted">—</span>
              )}
            </td>
            <td className="c-num num" data-label={t("runs.late")}>
              {run.lateness_ms != null && run.started_at ? (
                span(run.lateness_ms, t)
              ) : (
                <span className="muted">—</span>
              )}
            </td>
            <td className="c-why">
              {originText(run, t)}
              <div className="second cut">
                {run.fire_count > 1
                  ? t("runs.span", { n: run.fire_count, last: instant(run.last_fire_time) })
                  : run.reason && reasonText(run, t)}
              </div>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
