import { WarningOutlined } from "@ant-design/icons";
import { Alert } from "antd";
import { useTranslation } from "react-i18next";
import type { Preview } from "../api/types";
import { usePreferences } from "../preferences";
import { Countdown } from "../ui/Times";
import { instant, readerZone, weekday } from "../ui/time";

const shown = 10;

// What the trigger of the form will do: its plan in words and its next fire
// times, in the job's zone and the reader's. It keeps its height while it changes.
export function PreviewPanel({
  preview,
  waiting,
  zone,
  problem,
}: {
  preview?: Preview;
  waiting: boolean;
  zone: string;
  problem?: string;
}) {
  const { t } = useTranslation();
  const { language } = usePreferences();
  const otherZone = zone !== readerZone && preview?.fires.some((f) => differs(f.time));
  return (
    <section className="preview" aria-label={t("editor.preview")} aria-live="polite">
      <h2>{t("editor.preview")}</h2>
      <p className={problem ? "preview-plan note-error" : "preview-plan"}>
        {problem ?? preview?.description ?? t("editor.previewWaiting")}
      </p>
      {!problem &&
        preview?.fires.length !== 0 &&
        preview?.warnings.map((warning) => (
          <Alert key={warning.code + warning.message} type="warning" showIcon title={warning.message} />
        ))}
      <table className={waiting ? "fires fires-waiting" : "fires"}>
        <caption>{t("editor.nextFires")}</caption>
        <thead>
          <tr>
            <th scope="col">{zone || t("editor.jobZone")}</th>
            <th scope="col">
              {otherZone ? (
                t("time.yourTime", { zone: readerZone })
              ) : (
                <span className="hidden">{t("jobs.nextFire")}</span>
              )}
            </th>
          </tr>
        </thead>
        <tbody>
          {Array.from({ length: shown }, (_, i) => {
            const fire = problem ? undefined : preview?.fires[i];
            if (!fire) {
              return (
                // biome-ignore lint/suspicious/noArrayIndexKey: the empty lines are all alike
                <tr key={i}>
                  <td className="muted">
                    {i === (preview?.fires.length ?? 0) && preview?.exhausted && !problem
                      ? t(i === 0 ? "editor.neverFires" : "editor.onlyThese")
                      : ""}
                  </td>
                  <td />
                </tr>
              );
            }
            const date = fire.time.slice(0, 10);
            return (
              <tr
                key={fire.time + fire.effect}
                className={fire.effect === "skipped" ? "fire-skipped" : undefined}
              >
                <td>
                  <span className="weekday">{weekday(date, language)}</span>
                  <time dateTime={fire.time} className="num" title={fire.time}>
                    {fire.effect === "skipped"
                      ? fire.wall.slice(0, 19).replace("T", " ")
                      : `${date} ${fire.time.slice(11, 19)}`}
                  </time>
                  {fire.note && (
                    <span className="fire-note" title={fire.note}>
                      <WarningOutlined aria-label={fire.note} />
                    </span>
                  )}
                </td>
                <td className="muted num">
                  {fire.effect === "skipped" ? (
                    "–"
                  ) : otherZone ? (
                    instant(fire.time)
                  ) : (
                    <Countdown at={fire.time} />
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      {!problem && preview?.fires.some((f) => f.note) && (
        <ul className="fire-notes">
          {preview.fires
            .filter((f) => f.note)
            .map((f) => (
              <li key={f.time + f.effect}>
                <span className="num">{f.time.slice(0, 10)}</span> {f.note}
              </li>
            ))}
        </ul>
      )}
    </section>
  );
}

// The first time that fires: a time that the clocks skip may come before it.
export function firstFire(preview: Preview) {
  return preview.fires.find((f) => f.effect !== "skipped");
}

// Whether the wall time of the fire is another one here.
function differs(time: string): boolean {
  return instant(time) !== time.slice(0, 19).replace("T", " ");
}
