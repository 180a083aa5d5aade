import { InputNumber, Select, Space } from "antd";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { amountOf, goDuration, seconds, type Unit, unitSeconds } from "./duration";
import type { Control } from "./Field";

// A length of time as amount and unit; the value is Go text, empty for none.
export function DurationInput({
  control,
  value,
  onChange,
  placeholder,
}: {
  control: Control;
  value: string;
  onChange: (value: string) => void;
  placeholder?: string;
}) {
  const { t } = useTranslation();
  // The unit stays as chosen while the amount is typed: 60 s is not made 1 min.
  const [unit, setUnit] = useState<Unit>(() => (value ? amountOf(value).unit : "m"));
  const amount = value ? (seconds(value) ?? 0) / unitSeconds[unit] : null;
  return (
    <Space.Compact>
      <InputNumber
        {...control}
        min={0}
        value={amount}
        placeholder={placeholder}
        onChange={(n) => onChange(n ? goDuration(Number(n), unit) : "")}
        style={{ width: 120 }}
      />
      <Select<Unit>
        aria-label={t("editor.unitLabel")}
        value={unit}
        onChange={(to) => {
          setUnit(to);
          if (amount) onChange(goDuration(amount, to));
        }}
        options={(["s", "m", "h", "d"] as const).map((u) => ({ value: u, label: t(`editor.unit.${u}`) }))}
        style={{ width: 100 }}
      />
    </Space.Compact>
  );
}
