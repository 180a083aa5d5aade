import { type ReactNode, useId } from "react";

export interface Control {
  id: string;
  status?: "error";
  "aria-describedby": string;
  "aria-invalid"?: true;
}

// A label, its control, and below it the hint or what is wrong.
export function Field({
  label,
  hint,
  error,
  children,
  className,
}: {
  label: string;
  hint?: ReactNode;
  error?: string;
  children: (control: Control) => ReactNode;
  className?: string;
}) {
  const id = useId();
  const control: Control = { id, "aria-describedby": `${id}-note` };
  if (error) {
    control.status = "error";
    control["aria-invalid"] = true;
  }
  return (
    <div className={`field ${className ?? ""}`}>
      <label htmlFor={id}>{label}</label>
      {children(control)}
      <div
        id={`${id}-note`}
        className={error ? "note note-error" : "note"}
        role={error ? "alert" : undefined}
      >
        {error ?? hint}
      </div>
    </div>
  );
}

// Several controls under one label.
export function FieldGroup({
  label,
  hint,
  error,
  children,
}: {
  label: string;
  hint?: ReactNode;
  error?: string;
  children: ReactNode;
}) {
  return (
    <fieldset className="field">
      <legend>{label}</legend>
      {children}
      <div className={error ? "note note-error" : "note"} role={error ? "alert" : undefined}>
        {error ?? hint}
      </div>
    </fieldset>
  );
}
