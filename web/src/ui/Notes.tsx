import { Alert, Button } from "antd";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { problemText } from "./problems";

// What a page shows when there is nothing to show: why, and the next step.
export function Empty({ title, hint, children }: { title: string; hint?: string; children?: ReactNode }) {
  return (
    <div className="empty">
      <p className="empty-title">{title}</p>
      {hint && <p className="muted">{hint}</p>}
      {children}
    </div>
  );
}

export function LoadFailed({ error, retry }: { error: unknown; retry: () => void }) {
  const { t } = useTranslation();
  return (
    <Alert
      type="error"
      showIcon
      title={t("error.loading")}
      description={problemText(error, t)}
      action={<Button onClick={retry}>{t("action.retry")}</Button>}
    />
  );
}

// Lines of the height that the data will have, so that nothing moves when it comes.
export function Placeholder({ lines, height = 56 }: { lines: number; height?: number }) {
  return (
    <div aria-busy="true">
      {Array.from({ length: lines }, (_, i) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the lines are all alike
        <div key={i} className="placeholder" style={{ height }}>
          <span />
        </div>
      ))}
    </div>
  );
}
