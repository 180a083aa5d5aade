import {
  CaretRightOutlined,
  DeleteOutlined,
  EditOutlined,
  PauseOutlined,
  PlayCircleOutlined,
} from "@ant-design/icons";
import { useQuery } from "@tanstack/react-query";
import { Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { Link, useNavigate, useParams } from "react-router";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { Job } from "../api/types";
import { useMay } from "../frame/session";
import { Title } from "../frame/title";
import { refreshEvery } from "../queries";
import { RunList } from "../runs/RunList";
import { seconds } from "../ui/duration";
import { LinkButton } from "../ui/LinkButton";
import { Empty, LoadFailed, Placeholder } from "../ui/Notes";
import { JobStateTag, RunStateTag } from "../ui/State";
import { Countdown, Instant } from "../ui/Times";
import { readerZone, span } from "../ui/time";
import { useJobActions } from "./actions";
import { RunBars } from "./RunBars";
import { useRemoving } from "./removing";
import { zoneOf } from "./trigger";

export function Component() {
  const { t, i18n } = useTranslation();
  const { id = "" } = useParams();
  const removing = useRemoving();
  const job = useQuery({
    queryKey: ["job", id, i18n.language],
    queryFn: ({ signal }) => api.job(id, signal),
    refetchInterval: refreshEvery,
  });
  if (job.isError && asProblem(job.error).status === 404) {
    return (
      <>
        <Title text={id} />
        <Empty title={t("error.jobNotFound")} hint={t("error.jobNotFoundHint")}>
          <Link to={`/runs?job=${encodeURIComponent(id)}`}>{t("job.allRuns")}</Link>
        </Empty>
      </>
    );
  }
  if (job.isError && !job.data) return <LoadFailed error={job.error} retry={() => void job.refetch()} />;
  return (
    <>
      <Title text={job.data?.name ?? id} />
      {job.data ? <JobView job={job.data} gone={removing.has(id)} /> : <Placeholder lines={4} height={80} />}
    </>
  );
}

function JobView({ job, gone }: { job: Job; gone: boolean }) {
  const { t } = useTranslation();
  return (
    <div className="job-page">
      <div className="job-head">
        <span className="job-state">
          {job.active_runs > 0 ? <RunStateTag state="running" /> : <JobStateTag state={job.state} />}
        </span>
        <span className="mono muted">{job.id}</span>
        {job.tags?.map((tag) => (
          <Link key={tag} className="tag" to={`/jobs?tag=${encodeURIComponent(tag)}`}>
            #{tag}
          </Link>
        ))}
        {!gone && <Actions job={job} />}
      </div>
      <div className="job-top">
        <div className="job-next">
          <h2>{t("job.nextFire")}</h2>
          <p className="job-countdown">{job.next_fire_time ? <Countdown at={job.next_fire_time} /> : "—"}</p>
          <NextLine job={job} />
        </div>
        <div className="job-plan">
          <h2>{t("job.plan")}</h2>
          <p className="job-description">{job.description}</p>
          <p className="second">{zoneOf(job.trigger)}</p>
        </div>
        <RunBars job={job.id} />
      </div>
      <JobFacts job={job} />
      <section>
        <h2>{t("job.runs")}</h2>
        <RunList
          filter={{ job: job.id }}
          withJob={false}
          empty={
            <Empty title={t("job.noRuns")} hint={job.next_fire_time ? t("job.noRunsHint") : undefined} />
          }
        />
      </section>
    </div>
  );
}

function NextLine({ job }: { job: Job }) {
  const { t } = useTranslation();
  if (job.quarantine) return <p className="note-error">{t("job.quarantined", { why: job.quarantine })}</p>;
  if (job.paused) return <p className="second">{t("job.paused")}</p>;
  if (!job.next_fire_time) return <p className="second">{t("job.finished")}</p>;
  const zone = zoneOf(job.trigger) || readerZone;
  return (
    <p className="second num">
      <Instant at={job.next_fire_time} zone={zone} /> {zone}
    </p>
  );
}

function Actions({ job }: { job: Job }) {
  const { t } = useTranslation();
  const may = useMay();
  const actions = useJobActions();
  const navigate = useNavigate();
  if (!may.operate) return null;
  return (
    <span className="buttons job-actions">
      <Button type="primary" icon={<CaretRightOutlined aria-hidden />} onClick={() => void actions.run(job)}>
        {t("action.run")}
      </Button>
      {job.paused ? (
        <Button icon={<PlayCircleOutlined aria-hidden />} onClick={() => void actions.pause(job, false)}>
          {t("action.resume")}
        </Button>
      ) : (
        <Button icon={<PauseOutlined aria-hidden />} onClick={() => void actions.pause(job, true)}>
          {t("action.pause")}
        </Button>
      )}
      {may.change && (
        <>
          <LinkButton to={`/jobs/${encodeURIComponent(job.id)}/edit`} icon={<EditOutlined aria-hidden />}>
            {t("action.edit")}
          </LinkButton>
          <Button
            icon={<DeleteOutlined aria-hidden />}
            danger
            onClick={() => {
              actions.remove(job);
              void navigate("/jobs");
            }}
          >
            {t("action.remove")}
          </Button>
        </>
      )}
    </span>
  );
}

function JobFacts({ job }: { job: Job }) {
  const { t } = useTranslation();
  const words = (duration: string) => span((seconds(duration) ?? 0) * 1000, t);
  const grace = !job.misfire_grace
    ? t("editor.graceDefault")
    : job.misfire_grace === "unlimited"
      ? t("editor.graceUnlimited")
      : `${t("editor.graceOwn")} ${words(job.misfire_grace)}`;
  const coalesce = t(
    job.coalesce === "all"
      ? "editor.coalesceAll"
      : job.coalesce === "earliest"
        ? "editor.coalesceEarliest"
        : "editor.coalesceLatest",
  );
  const variables = Object.entries(job.task.environment ?? {}).map(([name, value]) => `${name}=${value}`);
  const environment =
    variables.length > 0 ? <span className="mono lines">{variables.join("\n")}</span> : t("job.nothing");
  const directory = job.task.directory ? (
    <span className="mono">{job.task.directory}</span>
  ) : (
    t("job.ownFolder")
  );
  const facts: [string, ReactNode][] = [
    [t("job.directory"), directory],
    [t("job.environment"), environment],
    [t("editor.timeout"), job.timeout ? words(job.timeout) : t("editor.timeoutDefault")],
    [t("job.grace"), grace],
    [t("job.coalesce"), coalesce],
    [t("editor.instances"), job.max_instances || 1],
    [t("job.version"), job.version],
    [t("job.created"), <Instant key="created" at={job.created_at} offset />],
    [t("job.changed"), <Instant key="changed" at={job.updated_at} offset />],
  ];
  return (
    <section>
      <h2>{t("job.command")}</h2>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the keyboard */}
      <pre className="command" tabIndex={0}>
        {job.task.command}
      </pre>
      <dl className="facts">
        {facts.map(([label, value]) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </section>
  );
}
