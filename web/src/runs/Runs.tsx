import { useQuery } from "@tanstack/react-query";
import { Button, DatePicker, Select } from "antd";
import dayjs from "dayjs";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { api } from "../api/client";
import { Title } from "../frame/title";
import { LinkButton } from "../ui/LinkButton";
import { Empty } from "../ui/Notes";
import { useFilters } from "../ui/paging";
import { RunStateTag, runStates } from "../ui/State";
import { RunList } from "./RunList";

export function Component() {
  const { t } = useTranslation();
  const filters = useFilters();
  const filter = {
    job: filters.get("job"),
    state: filters.get("state"),
    from: filters.get("from"),
    to: filters.get("to"),
  };
  const filtered = Object.values(filter).some(Boolean);
  return (
    <>
      <Title text={t("runs.title")} />
      <search className="filters">
        <JobFilter value={filter.job} onChange={(job) => filters.set({ job })} />
        <Select
          mode="multiple"
          className="filter-states"
          aria-label={t("runs.state")}
          placeholder={t("jobs.allStates")}
          maxTagCount="responsive"
          allowClear
          value={filter.state ? filter.state.split(",") : []}
          onChange={(states) => filters.set({ state: states.join(",") })}
          options={runStates.map((state) => ({ value: state, label: <RunStateTag state={state} /> }))}
          showSearch={false}
        />
        <DatePicker.RangePicker
          className="filter-range"
          showTime={{ format: "HH:mm" }}
          format="YYYY-MM-DD HH:mm"
          allowEmpty={[true, true]}
          aria-label={t("runs.range")}
          placeholder={[t("runs.from"), t("runs.to")]}
          value={[filter.from ? dayjs(filter.from) : null, filter.to ? dayjs(filter.to) : null]}
          onChange={(range) =>
            filters.set({ from: range?.[0]?.toISOString() ?? "", to: range?.[1]?.toISOString() ?? "" })
          }
        />
        {filtered && (
          <Button type="text" onClick={filters.clear}>
            {t("action.clear")}
          </Button>
        )}
      </search>
      <RunList
        filter={filter}
        withJob
        empty={
          filtered ? (
            <Empty title={t("runs.none")}>
              <Button onClick={filters.clear}>{t("action.clear")}</Button>
            </Empty>
          ) : (
            <Empty title={t("runs.empty")} hint={t("runs.emptyHint")}>
              <LinkButton to="/jobs">{t("error.home")}</LinkButton>
            </Empty>
          )
        }
      />
    </>
  );
}

function JobFilter({ value, onChange }: { value: string; onChange: (job: string) => void }) {
  const { t, i18n } = useTranslation();
  const [search, setSearch] = useState("");
  const jobs = useQuery({
    queryKey: ["jobs", i18n.language, "choice", search],
    queryFn: ({ signal }) => api.jobs({ search, limit: 20, sort: "name" }, signal),
    placeholderData: (before) => before,
    staleTime: 10_000,
  });
  const options = (jobs.data?.items ?? []).map((job) => ({ value: job.id, label: job.name }));
  if (value && !options.some((o) => o.value === value)) options.unshift({ value, label: value });
  return (
    <Select
      className="filter-job"
      aria-label={t("runs.job")}
      placeholder={t("runs.anyJob")}
      allowClear
      showSearch={{ filterOption: false, onSearch: setSearch }}
      value={value || undefined}
      onChange={(job) => onChange(job ?? "")}
      options={options}
    />
  );
}
