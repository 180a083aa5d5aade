import { CloseOutlined } from "@ant-design/icons";
import { Button } from "antd";
import { type ReactNode, useSyncExternalStore } from "react";
import { useTranslation } from "react-i18next";

interface Toast {
  key: number;
  kind: "done" | "error";
  content: ReactNode;
}

let toasts: Toast[] = [];
let nextKey = 1;
const listeners = new Set<() => void>();

function set(to: Toast[]) {
  toasts = to;
  for (const listener of listeners) listener();
}

// Shows a short message for some seconds; returns how to take it away early.
export function toast(content: ReactNode, kind: Toast["kind"] = "done", ms = 6000): () => void {
  const key = nextKey++;
  set([...toasts.slice(-3), { key, kind, content }]);
  const close = () => set(toasts.filter((x) => x.key !== key));
  window.setTimeout(close, ms);
  return close;
}

export function Toasts() {
  const { t } = useTranslation();
  const shown = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    () => toasts,
  );
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((x) => (
        <div key={x.key} className={`toast toast-${x.kind}`}>
          <span>{x.content}</span>
          <Button
            type="text"
            size="small"
            icon={<CloseOutlined aria-hidden />}
            aria-label={t("action.close")}
            onClick={() => set(toasts.filter((y) => y.key !== x.key))}
          />
        </div>
      ))}
    </div>
  );
}
