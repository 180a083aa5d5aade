import {
  CaretRightOutlined,
  DeleteOutlined,
  EditOutlined,
  EllipsisOutlined,
  PauseOutlined,
  PlayCircleOutlined,
} from "@ant-design/icons";
import { Button, Dropdown } from "antd";
import { useTranslation } from "react-i18next";
import { useNavigate } from "react-router";
import type { Job } from "../api/types";
import { useMay } from "../frame/session";
import { useJobActions } from "./actions";

// What one can do with a job, as a row of quiet buttons.
export function JobButtons({ job }: { job: Job }) {
  const { t } = useTranslation();
  const may = useMay();
  const actions = useJobActions();
  const navigate = useNavigate();
  const of = (action: string) => t("action.of", { action, name: job.name });
  if (!may.operate) return null;
  return (
    <span className="buttons">
      <Button
        type="text"
        icon={<CaretRightOutlined aria-hidden />}
        aria-label={of(t("action.run"))}
        title={t("action.run")}
        onClick={() => void actions.run(job)}
      />
      {job.paused ? (
        <Button
          type="text"
          icon={<PlayCircleOutlined aria-hidden />}
          aria-label={of(t("action.resume"))}
          title={t("action.resume")}
          onClick={() => void actions.pause(job, false)}
        />
      ) : (
        <Button
          type="text"
          icon={<PauseOutlined aria-hidden />}
          aria-label={of(t("action.pause"))}
          title={t("action.pause")}
          onClick={() => void actions.pause(job, true)}
        />
      )}
      {may.change && (
        <Dropdown
          trigger={["click"]}
          menu={{
            onClick: ({ key }) =>
              key === "edit"
                ? void navigate(`/jobs/${encodeURIComponent(job.id)}/edit`)
                : actions.remove(job),
            items: [
              { key: "edit", icon: <EditOutlined aria-hidden />, label: t("action.edit") },
              {
                key: "remove",
                icon: <DeleteOutlined aria-hidden />,
                label: t("action.remove"),
                danger: true,
              },
            ],
          }}
        >
          <Button
            type="text"
            icon={<EllipsisOutlined aria-hidden />}
            aria-label={of(t("action.more"))}
            title={t("action.more")}
          />
        </Dropdown>
      )}
    </span>
  );
}
