import { useQueryClient } from "@tanstack/react-query";
import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { Link } from "react-router";
import { api } from "../api/client";
import { asProblem } from "../api/problem";
import type { Job } from "../api/types";
import { noteStarted } from "../runs/useRunList";
import { problemText } from "../ui/problems";
import { toast } from "../ui/Toasts";
import { forgetRemoving, noteRemoving } from "./removing";

const undoFor = 6000;

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
          // Somebody else may have deleted it meanwhile.
          if (asProblem(error).status !== 404) failed(error);
        }
        forgetRemoving(job.id);
        refresh();
      };
      const timer = window.setTimeout(finish, undoFor);
      const close = toast(
        <>
          {t("jobs.deleted", { name: job.name })}{" "}
          <Button
            type="link"
            size="small"
            onClick={() => {
              callOff();
              forgetRemoving(job.id);
            }}
          >
            {t("action.undo")}
          </Button>
        </>,
        "done",
        undoFor,
      );
      const callOff = () => {
        window.clearTimeout(timer);
        close();
      };
      noteRemoving(job.id, callOff);
    },
  };
}
