import { CaretRightOutlined, StopOutlined } from "@ant-design/icons";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { Run } from "../api/types";
import { useMay } from "../frame/session";
import { Title } from "../frame/title";
import { useJobActions } from "../jobs/actions";
import { refreshEvery } from "../queries";
import { Empty, LoadFailed, Placeholder } from "../ui/Notes";
import { problemText } from "../ui/problems";
import { RunStateTag } from "../ui/State";
import { Instant, Since } from "../ui/Times";
import { toast } from "../ui/Toasts";
import { bytes, span } from "../ui/time";
import { OutputView } from "./OutputView";
import { originText, reasonText } from "./reason";

export function Component() {
  const { t } = useTranslation();
  const { id = "" } = useParams();
  const run = useQuery({
    queryKey: ["run", id],
    queryFn: ({ signal }) => api.run(id, signal),
    // The stream of the output tells of changes; this is for when it is broken.
    refetchInterval: (query) => (active(query.state.data) ? refreshEvery * 2 : false),
  });
  if (run.isError && !run.data) {
    if (asProblem(run.error).status === 404) {
      return (
        <>
          <Title text={t("runs.title")} />
          <Empty title={t("error.runNotFound")} hint={t("error.runNotFoundHint")}>
            <Link to="/runs">{t("runs.title")}</Link>
          </Empty>
        </>
      );
    }
    return <LoadFailed error={run.error} retry={() => void run.refetch()} />;
  }
  return (
    <>
      <Title text={t("run.title", { job: run.data?.job_name || run.data?.job_id || "…" })} />
      {run.data ? (
        <div className="run-page">
          <Banner run={run.data} />
          <Facts run={run.data} />
          <OutputView key={id} run={run.data} />
        </div>
      ) : (
        <Placeholder lines={3} height={96} />
      )}
    </>
  );
}

function active(run?: Run): boolean {
  return run?.state === "running" || run?.state === "queued";
}

function Banner({ run }: { run: Run }) {
  const { t } = useTranslation();
  const may = useMay();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const actions = useJobActions();
  const stop = async () => {
    try {
      await api.stopRun(run.id);
      toast(t("run.stopping"));
    } catch (error) {
      toast(problemText(error, t), "error");
    }
    void queries.invalidateQueries({ queryKey: ["run", run.id] });
  };
  const again = async () => {
    const started = await actions.run({ id: run.job_id, name: run.job_name || run.job_id });
    if (started) await navigate(`/runs/${started.id}`);
  };
  return (
    <div className={`banner banner-${run.state}`}>
      <div className="banner-words" role="status">
        <strong>
          <RunStateTag state={run.state} />
        </strong>
        {run.state !== "running" && <span>{reasonText(run, t)}</span>}
        {run.fire_count > 1 && (
          <span>
            {t("run.span", { n: run.fire_count, last: "" })} <Instant at={run.last_fire_time} />
          </span>
        )}
        {run.message && run.reason !== "exit_code" && (
          <span className="mono banner-message">{run.message}</span>
        )}
      </div>
      <span className="buttons">
        {may.operate && active(run) && (
          <Button danger icon={<StopOutlined aria-hidden />} onClick={() => void stop()}>
            {t("action.stop")}
          </Button>
        )}
        {may.operate && !active(run) && (
          <Button icon={<CaretRightOutlined aria-hidden />} onClick={() => void again()}>
            {t("action.runAgain")}
          </Button>
        )}
      </span>
    </div>
  );
}

function Facts({ run }: { run: Run }) {
  const { t } = useTranslation();
  const none = <span className="muted">—</span>;
  const took =
    run.state === "running" && run.started_at ? (
      <Since at={run.started_at} />
    ) : run.duration_ms != null ? (
      span(run.duration_ms, t)
    ) : (
      none
    );
  const node = run.node ? <span className="mono">{run.node}</span> : none;
  const facts: [string, ReactNode][] = [
    [
      t("runs.job"),
      <Link key="job" to={`/jobs/${encodeURIComponent(run.job_id)}`}>
        {run.job_name || run.job_id}
      </Link>,
    ],
    [t(run.state === "running" ? "run.runningFor" : "run.took"), took],
    [t("run.exitCode"), run.exit_code ?? none],
    [t("run.fireTime"), <Instant key="fire" at={run.fire_time} offset />],
    [t("run.late"), run.started_at && run.lateness_ms != null ? span(run.lateness_ms, t) : none],
    [t("run.origin"), run.actor ? `${originText(run, t)} · ${run.actor}` : originText(run, t)],
    [t("run.started"), run.started_at ? <Instant key="started" at={run.started_at} offset /> : none],
    [t("run.ended"), run.ended_at ? <Instant key="ended" at={run.ended_at} offset /> : none],
    [
      t("run.size"),
      active(run)
        ? none
        : run.output_kept < run.output_size
          ? t("run.kept", { kept: bytes(run.output_kept, t), size: bytes(run.output_size, t) })
          : bytes(run.output_size, t),
    ],
    [t("run.attempt"), run.attempt || none],
    [t("run.node"), node],
    [t("run.version"), run.job_version],
  ];
  return (
    <dl className="facts">
      {facts.map(([label, value]) => (
        <div key={label}>
          <dt>{label}</dt>
          <dd className="num">{value}</dd>
        </div>
      ))}
    </dl>
  );
}
