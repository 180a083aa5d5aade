import { PlusOutlined } from "@ant-design/icons";
import { keepPreviousData, useQuery, useQueryClient } from "@tanstack/react-query";
import { Button, Input, Select } from "antd";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api } from "../api/client";
import type { Job } from "../api/types";
import { useMay } from "../frame/session";
import { Title } from "../frame/title";
import { refreshEvery } from "../queries";
import { LinkButton } from "../ui/LinkButton";
import { Empty, LoadFailed, Placeholder } from "../ui/Notes";
import { Pager, useCursor, useFilters } from "../ui/paging";
import { SearchInput } from "../ui/SearchInput";
import { JobStateTag, jobStates, RunStateTag } from "../ui/State";
import { Countdown, Instant, Relative } from "../ui/Times";
import { JobButtons } from "./JobButtons";
import { useRemoving } from "./removing";
import { zoneOf } from "./trigger";

const pageSize = 50;

export function Component() {
  const { t, i18n } = useTranslation();
  const filters = useFilters();
  const place = useCursor();
  const may = useMay();
  const removing = useRemoving();
  const query = {
    search: filters.get("search"),
    state: filters.get("state"),
    tag: filters.get("tag"),
    task: filters.get("task"),
    sort: filters.get("sort"),
    cursor: place.cursor,
    limit: pageSize,
  };
  const jobs = useQuery({
    queryKey: ["jobs", i18n.language, query],
    queryFn: ({ signal }) => api.jobs(query, signal),
    placeholderData: keepPreviousData,
    refetchInterval: refreshEvery,
  });
  const filtered = Boolean(query.search || query.state || query.tag || query.task);
  const shown = jobs.data?.items.filter((job) => !removing.has(job.id)) ?? [];

  const newJob = may.change && (
    <LinkButton to="/jobs/new" type="primary" icon={<PlusOutlined aria-hidden />}>
      {t("action.newJob")}
    </LinkButton>
  );
  return (
    <>
      <Title text={t("jobs.title")} />
      <search className="filters">
        <SearchInput
          label={t("jobs.search")}
          value={query.search}
          onChange={(search) => filters.set({ search })}
        />
        <Select
          aria-label={t("jobs.state")}
          value={query.state}
          onChange={(state) => filters.set({ state })}
          popupMatchSelectWidth={false}
          options={[
            { value: "", label: t("jobs.allStates") },
            ...jobStates.map((state) => ({ value: state, label: <JobStateTag state={state} /> })),
          ]}
        />
        <Select
          aria-label={t("jobs.task")}
          value={query.task}
          onChange={(task) => filters.set({ task })}
          popupMatchSelectWidth={false}
          options={[
            { value: "", label: t("jobs.allTasks") },
            { value: "shell", label: t("jobs.shell") },
          ]}
        />
        <TagFilter value={query.tag} onChange={(tag) => filters.set({ tag })} />
        {filtered && (
          <Button type="text" onClick={filters.clear}>
            {t("action.clear")}
          </Button>
        )}
        <span className="filters-end">{newJob}</span>
      </search>
      {jobs.isError && !jobs.data && <LoadFailed error={jobs.error} retry={() => void jobs.refetch()} />}
      {jobs.isPending && <Placeholder lines={8} />}
      {jobs.data && shown.length === 0 && !filtered && !place.cursor && (
        <Empty title={t("jobs.empty")} hint={t("jobs.emptyHint")}>
          {newJob}
        </Empty>
      )}
      {jobs.data && shown.length === 0 && (filtered || place.cursor) && (
        <Empty title={t("jobs.none")}>
          <Button onClick={filters.clear}>{t("action.clear")}</Button>
        </Empty>
      )}
      {shown.length > 0 && (
        <>
          <table className="list jobs" aria-label={t("jobs.title")} aria-busy={jobs.isPlaceholderData}>
            <thead>
              <tr>
                <th scope="col" className="c-state">
                  {t("jobs.state")}
                </th>
                <SortHead
                  by="name"
                  label={t("jobs.name")}
                  sort={query.sort}
                  onSort={(sort) => filters.set({ sort })}
                />
                <th scope="col">{t("jobs.plan")}</th>
                <SortHead
                  by="next_fire_time"
                  label={t("jobs.nextFire")}
                  sort={query.sort}
                  onSort={(sort) => filters.set({ sort })}
                  className="c-time"
                />
                <th scope="col" className="c-result">
                  {t("jobs.lastResult")}
                </th>
                <th scope="col" className="c-actions">
                  <span className="hidden">{t("jobs.actions")}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {shown.map((job) => (
                <Row key={job.id} job={job} onTag={(tag) => filters.set({ tag })} />
              ))}
            </tbody>
          </table>
          <Pager
            place={place}
            next={jobs.data?.next_cursor}
            shown={jobs.data?.items.length ?? 0}
            size={pageSize}
          />
        </>
      )}
    </>
  );
}

function Row({ job, onTag }: { job: Job; onTag: (tag: string) => void }) {
  const { t, i18n } = useTranslation();
  const queries = useQueryClient();
  const prefetch = () =>
    void queries.prefetchQuery({
      queryKey: ["job", job.id, i18n.language],
      queryFn: ({ signal }) => api.job(job.id, signal),
      staleTime: 5000,
    });
  return (
    <tr>
      <td className="c-state">
        {job.active_runs > 0 ? <RunStateTag state="running" /> : <JobStateTag state={job.state} />}
      </td>
      <td className="c-name">
        <Link
          to={`/jobs/${encodeURIComponent(job.id)}`}
          className="strong cut"
          title={job.name}
          onPointerEnter={prefetch}
        >
          {job.name}
        </Link>
        <div className="second cut">
          {job.name !== job.id && <span className="mono">{job.id}</span>}
          {job.tags?.map((tag) => (
            <button
              key={tag}
              type="button"
              className="tag"
              onClick={() => onTag(tag)}
              title={t("jobs.filterTag", { tag })}
            >
              #{tag}
            </button>
          ))}
        </div>
      </td>
      <td className="c-plan">
        <div className="cut" title={job.description}>
          {job.description}
        </div>
        <div className="second cut">{zoneOf(job.trigger)}</div>
      </td>
      <td className="c-time">
        {job.next_fire_time ? (
          <>
            <Countdown at={job.next_fire_time} />
            <div className="second">
              <Instant at={job.next_fire_time} short />
            </div>
          </>
        ) : (
          <span className="muted">—</span>
        )}
      </td>
      <td className="c-result">
        {job.last_run ? (
          <>
            <Link to={`/runs/${job.last_run.id}`} className="plain">
              <RunStateTag state={job.last_run.state} />
            </Link>
            <div className="second">
              <Relative at={job.last_run.ended_at ?? job.last_run.started_at ?? job.last_run.fire_time} />
            </div>
          </>
        ) : (
          <span className="muted">{t("jobs.noRunYet")}</span>
        )}
      </td>
      <td className="c-actions">
        <JobButtons job={job} />
      </td>
    </tr>
  );
}

function SortHead({
  by,
  label,
  sort,
  onSort,
  className,
}: {
  by: string;
  label: string;
  sort: string;
  onSort: (sort: string) => void;
  className?: string;
}) {
  const order = sort === by ? "ascending" : sort === `-${by}` ? "descending" : "none";
  const next = { none: by, ascending: `-${by}`, descending: "" }[order];
  return (
    <th scope="col" aria-sort={order} className={className}>
      <button type="button" className={`sort sort-${order}`} onClick={() => onSort(next)}>
        {label}
      </button>
    </th>
  );
}

function TagFilter({ value, onChange }: { value: string; onChange: (tag: string) => void }) {
  const { t } = useTranslation();
  const [text, setText] = useState(value);
  useEffect(() => setText(value), [value]);
  const tell = (to: string) => to.trim() !== value && onChange(to.trim());
  return (
    <Input
      className="filter-tag"
      prefix={<span aria-hidden>#</span>}
      aria-label={t("jobs.tag")}
      placeholder={t("jobs.tag")}
      allowClear
      value={text}
      onChange={(e) => {
        setText(e.target.value);
        if (e.target.value === "") tell("");
      }}
      onBlur={() => tell(text)}
      onPressEnter={() => tell(text)}
    />
  );
}
