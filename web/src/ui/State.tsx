import {
  CheckCircleFilled,
  ClockCircleOutlined,
  CloseCircleFilled,
  DisconnectOutlined,
  HourglassFilled,
  PauseCircleFilled,
  WarningFilled,
} from "@ant-design/icons";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { JobState, RunState } from "../api/types";

// Icons that the set does not have, drawn in its manner.
function Drawn({ children }: { children: ReactNode }) {
  return (
    <span className="anticon" aria-hidden="true">
      <svg
        viewBox="0 0 16 16"
        width="1em"
        height="1em"
        fill="none"
        stroke="currentColor"
        strokeWidth="1.6"
        strokeLinecap="round"
        strokeLinejoin="round"
        aria-hidden="true"
      >
        {children}
      </svg>
    </span>
  );
}
const square = (
  <Drawn>
    <rect x="3" y="3" width="10" height="10" rx="2" fill="currentColor" />
  </Drawn>
);
const dashedClock = (
  <Drawn>
    <circle cx="8" cy="8" r="6.2" strokeDasharray="2.6 2.3" />
    <path d="M8 4.8V8l2.2 1.6" />
  </Drawn>
);
const arrowOver = (
  <Drawn>
    <path d="M2 10a5 5 0 0 1 9.6-1.6M12 4.6v4H8" />
    <circle cx="7" cy="12.6" r=".9" fill="currentColor" />
  </Drawn>
);
const dot = (
  <Drawn>
    <circle cx="8" cy="8" r="4" fill="currentColor" stroke="none" />
  </Drawn>
);
const arc = (
  <Drawn>
    <path className="arc" d="M8 2.2a5.8 5.8 0 1 1-5.8 5.8" strokeWidth="2" />
  </Drawn>
);
const ring = (
  <Drawn>
    <circle cx="8" cy="8" r="5.4" />
    <path d="m5.6 8.2 1.7 1.7 3.1-3.6" />
  </Drawn>
);

const icons: Record<RunState | JobState, ReactNode> = {
  queued: <ClockCircleOutlined aria-hidden />,
  running: arc,
  succeeded: <CheckCircleFilled aria-hidden />,
  failed: <CloseCircleFilled aria-hidden />,
  timed_out: <HourglassFilled aria-hidden />,
  stopped: square,
  lost: <DisconnectOutlined aria-hidden />,
  missed: dashedClock,
  skipped: arrowOver,
  active: dot,
  paused: <PauseCircleFilled aria-hidden />,
  finished: ring,
  quarantined: <WarningFilled aria-hidden />,
};

export function StateIcon({ state }: { state: RunState | JobState }) {
  return <span className={`state state-${state}`}>{icons[state]}</span>;
}

export function RunStateTag({ state }: { state: RunState }) {
  const { t } = useTranslation();
  return (
    <span className={`state state-${state}`}>
      {icons[state]} {t(`runState.${state}`)}
    </span>
  );
}

export function JobStateTag({ state }: { state: JobState }) {
  const { t } = useTranslation();
  return (
    <span className={`state state-${state}`}>
      {icons[state]} {t(`jobState.${state}`)}
    </span>
  );
}

export const runStates: RunState[] = [
  "queued",
  "running",
  "succeeded",
  "failed",
  "timed_out",
  "stopped",
  "lost",
  "missed",
  "skipped",
];
export const jobStates: JobState[] = ["active", "paused", "finished", "quarantined"];
