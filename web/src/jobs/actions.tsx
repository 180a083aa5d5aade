import { useQueryClient } from "@tanstack/react-query";
import { Button } from "antd";
import { useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api } from "../api/client";
import type { Job } from "../api/types";
import { noteStarted } from "../runs/useRunList";
import { problemText } from "../ui/problems";
import { toast } from "../ui/Toasts";

const undoFor = 6000;

// Jobs that were deleted a moment ago: hidden here, deleted at the server
// once the time to undo is over, or when the page is left.
let removing = new Map<string, number>();
const listeners = new Set<() => void>();

function changeRemoving(to: Map<string, number>) {
  removing = to;
  for (const listener of listeners) listener();
}

window.addEventListener("pagehide", () => {
  for (const id of removing.keys()) void api.deleteJob(id, true);
});

export function useRemoving(): ReadonlyMap<string, number> {
  return useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => removing,
  );
}

// What one can do with a job. Each says what came of it in a short message.
export function useJobActions() {
  const { t } = useTranslation();
  const queries = useQueryClient();
  const refresh = () => {
    void queries.invalidateQueries({ queryKey: ["jobs"] });
    void queries.invalidateQueries({ queryKey: ["job"] });
    void queries.invalidateQueries({ queryKey: ["runs"] });
  };
  const failed = (error: unknown) => toast(problemText(error, t), "error", 8000);

  return {
    run: async (job: Pick<Job, "id" | "name">) => {
      try {
        const run = await api.runJob(job.id);
        noteStarted();
        toast(
          <>
            {t("jobs.started", { name: job.name })} <Link to={`/runs/${run.id}`}>{t("jobs.seeRun")}</Link>
          </>,
        );
        return run;
      } catch (error) {
        failed(error);
      } finally {
        refresh();
      }
    },
    pause: (job: Job, paused: boolean) =>
      (paused ? api.pauseJob(job.id) : api.resumeJob(job.id)).catch(failed).finally(refresh),
    remove: (job: Job) => {
      const finish = async () => {
        try {
          await api.deleteJob(job.id);
          await queries.invalidateQueries({ queryKey: ["jobs"] });
        } catch (error) {
          failed(error);
        }
        forget();
        refresh();
      };
      const forget = () => {
        const left = new Map(removing);
        left.delete(job.id);
        changeRemoving(left);
      };
      const timer = window.setTimeout(finish, undoFor);
      changeRemoving(new Map(removing).set(job.id, timer));
      const close = toast(
        <>
          {t("jobs.deleted", { name: job.name })}{" "}
          <Button
            type="link"
            size="small"
            onClick={() => {
              window.clearTimeout(timer);
              forget();
              close();
            }}
          >
            {t("action.undo")}
          </Button>
        </>,
        "done",
        undoFor,
      );
    },
  };
}
