import { Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { LoadFailed, Placeholder } from "../ui/Notes";
import { Pager, useCursor } from "../ui/paging";
import { RunTable } from "./RunTable";
import { type RunFilter, runPageSize, useRunList } from "./useRunList";

// A paged list of runs. New ones wait behind a quiet line, which has its place
// whether it says something or not.
export function RunList({
  filter,
  withJob,
  empty,
}: {
  filter: RunFilter;
  withJob: boolean;
  empty: ReactNode;
}) {
  const { t } = useTranslation();
  const place = useCursor();
  const { list, waiting, waitingMore, show } = useRunList(filter, place.cursor);
  if (list.isError && !list.data) return <LoadFailed error={list.error} retry={() => void list.refetch()} />;
  if (list.isPending) return <Placeholder lines={8} height={52} />;
  const runs = list.data?.items ?? [];
  return (
    <>
      <div className="newer" role="status">
        {waiting > 0 && (
          <Button type="link" size="small" onClick={show}>
            {waitingMore > 0 ? t("runs.newerMore", { n: waitingMore }) : t("runs.newer", { n: waiting })} ·{" "}
            {t("runs.show")}
          </Button>
        )}
      </div>
      {runs.length === 0 ? empty : <RunTable runs={runs} withJob={withJob} busy={list.isPlaceholderData} />}
      <Pager place={place} next={list.data?.next_cursor} shown={runs.length} size={runPageSize} />
    </>
  );
}
