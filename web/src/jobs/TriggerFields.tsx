import { Button, DatePicker, Input, InputNumber, Segmented, Select } from "antd";
import dayjs from "dayjs";
import "dayjs/locale/zh-cn";
import "dayjs/locale/en-gb";
import { useId, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Control, Field, FieldGroup } from "../ui/Field";
import { readerZone, zoneOffset } from "../ui/time";
import {
  type CronField,
  intervalUnits,
  type Kind,
  meaningOfEmpty,
  type Preset,
  presets,
  readWeekdays,
  type TriggerForm,
  textExamples,
  type Weekday,
  weekdays,
  writeWeekdays,
} from "./trigger";

interface Props {
  form: TriggerForm;
  change: (change: Partial<TriggerForm>) => void;
  errors: Record<string, string>;
  zones: string[];
  serverZone: string;
}

export function TriggerFields({ form, change, errors, zones, serverZone }: Props) {
  const { t } = useTranslation();
  const kinds: { value: Kind; label: string }[] = [
    { value: "date", label: t("editor.once") },
    { value: "interval", label: t("editor.interval") },
    { value: "cron", label: t("editor.calendar") },
    { value: "crontab", label: t("editor.crontab") },
    { value: "more", label: t("editor.more") },
  ];
  // One line holds all keys, so it has the errors of each.
  const textError = Object.entries(errors).find(([field]) => field.startsWith("trigger."))?.[1];
  return (
    <>
      <Segmented<Kind>
        aria-label={t("editor.trigger")}
        value={form.kind}
        options={kinds}
        onChange={(kind) => change({ kind })}
        block
      />
      <div className="trigger-kind">
        {form.kind === "more" && (
          <>
            <div className="presets">
              <span className="muted">{t("editor.examples")}</span>
              {Object.entries(textExamples).map(([kind, text]) => (
                <Button key={kind} size="small" className="mono" onClick={() => change({ text })}>
                  {kind}
                </Button>
              ))}
            </div>
            <Field label={t("editor.text")} hint={t("editor.textHint")} error={textError}>
              {(control) => (
                <Input.TextArea
                  {...control}
                  className="mono"
                  spellCheck={false}
                  autoComplete="off"
                  autoSize={{ minRows: 2, maxRows: 8 }}
                  value={form.text}
                  onChange={(e) => change({ text: e.target.value })}
                />
              )}
            </Field>
          </>
        )}
        {form.kind === "date" && (
          <Field label={t("editor.runDate")} error={errors["trigger.run_date"]}>
            {(control) => (
              <WallTime
                control={control}
                value={form.run_date}
                onChange={(run_date) => change({ run_date })}
                placeholder={t("editor.pickDate")}
              />
            )}
          </Field>
        )}
        {form.kind === "interval" && <IntervalFields form={form} change={change} errors={errors} />}
        {form.kind === "cron" && <CronFields form={form} change={change} errors={errors} />}
        {form.kind === "crontab" && (
          <Field
            label={t("editor.expression")}
            hint={t("editor.expressionHint")}
            error={errors["trigger.expression"]}
          >
            {(control) => (
              <Input
                {...control}
                className="mono"
                spellCheck={false}
                autoComplete="off"
                placeholder="*/5 9-17 * * mon-fri"
                value={form.expression}
                onChange={(e) => change({ expression: e.target.value })}
              />
            )}
          </Field>
        )}
        {errors.trigger && (
          <p className="note note-error" role="alert">
            {errors.trigger}
          </p>
        )}
      </div>
      {form.kind !== "more" && (
        <div className="fields-3">
          <Field label={t("editor.timezone")} error={errors["trigger.timezone"]}>
            {(control) => (
              <ZoneSelect
                control={control}
                value={form.timezone}
                onChange={(timezone) => change({ timezone })}
                zones={zones}
                serverZone={serverZone}
              />
            )}
          </Field>
          {form.kind !== "date" && (
            <>
              <Field label={t("editor.start")} error={errors["trigger.start_date"]}>
                {(control) => (
                  <WallTime
                    control={control}
                    value={form.start_date}
                    onChange={(start_date) => change({ start_date })}
                    placeholder={t("editor.anyTime")}
                  />
                )}
              </Field>
              <Field label={t("editor.end")} error={errors["trigger.end_date"]}>
                {(control) => (
                  <WallTime
                    control={control}
                    value={form.end_date}
                    onChange={(end_date) => change({ end_date })}
                    placeholder={t("editor.anyTime")}
                  />
                )}
              </Field>
            </>
          )}
        </div>
      )}
    </>
  );
}

// A date and time without a zone: the wall clock of the job's.
function WallTime({
  control,
  value,
  onChange,
  placeholder,
}: {
  control: Control;
  value: string;
  onChange: (value: string) => void;
  placeholder: string;
}) {
  return (
    <DatePicker
      {...control}
      showTime={{ format: "HH:mm:ss" }}
      format="YYYY-MM-DD HH:mm:ss"
      needConfirm={false}
      showNow={false}
      placeholder={placeholder}
      value={value ? dayjs(value) : null}
      onChange={(to) => onChange(to ? to.format("YYYY-MM-DDTHH:mm:ss") : "")}
      style={{ width: "100%" }}
    />
  );
}

function IntervalFields({ form, change, errors }: Pick<Props, "form" | "change" | "errors">) {
  const { t } = useTranslation();
  const id = useId();
  const error = intervalUnits.map((unit) => errors[`trigger.${unit}`]).find(Boolean);
  return (
    <FieldGroup label={t("editor.every")} error={error}>
      <div className="interval">
        {intervalUnits.map((unit) => (
          <span key={unit} className="interval-unit">
            <InputNumber
              id={`${id}-${unit}`}
              min={0}
              precision={unit === "seconds" ? undefined : 0}
              placeholder="0"
              value={form.interval[unit]}
              status={errors[`trigger.${unit}`] ? "error" : undefined}
              onChange={(n) => change({ interval: { ...form.interval, [unit]: n } })}
            />
            <label htmlFor={`${id}-${unit}`}>{t(`editor.${unit}`)}</label>
          </span>
        ))}
      </div>
    </FieldGroup>
  );
}

function CronFields({ form, change, errors }: Pick<Props, "form" | "change" | "errors">) {
  const { t } = useTranslation();
  const [more, setMore] = useState(Boolean(form.cron.year || form.cron.week || form.cron.second));
  const set = (field: CronField, value: string) => change({ cron: { ...form.cron, [field]: value } });
  const start = (preset: Preset) =>
    change({
      cron: {
        year: "",
        month: "",
        day: "",
        week: "",
        day_of_week: "",
        hour: "",
        minute: "",
        second: "",
        ...presets[preset],
      },
    });
  const days = readWeekdays(form.cron.day_of_week);
  const toggle = (day: Weekday) => {
    const to = new Set(days);
    if (!to.delete(day)) to.add(day);
    set("day_of_week", writeWeekdays(to));
  };
  const showMore =
    more ||
    Boolean(
      form.cron.year ||
        form.cron.week ||
        form.cron.second ||
        errors["trigger.year"] ||
        errors["trigger.week"] ||
        errors["trigger.second"],
    );
  const fields: CronField[] = ["month", "day", "day_of_week", "hour", "minute"];
  if (showMore) fields.push("second", "week", "year");
  return (
    <>
      <div className="presets">
        <span className="muted">{t("editor.presets")}</span>
        {(Object.keys(presets) as Preset[]).map((preset) => (
          <Button key={preset} size="small" onClick={() => start(preset)}>
            {t(`editor.preset.${preset}`)}
          </Button>
        ))}
      </div>
      <div className="cron-fields">
        {fields.map((field) => (
          <Field
            key={field}
            label={t(`editor.field.${field}`)}
            error={errors[`trigger.${field}`]}
            className="cron-field"
          >
            {(control) => (
              <Input
                {...control}
                className="mono"
                spellCheck={false}
                autoComplete="off"
                data-field={field}
                placeholder={meaningOfEmpty(form.cron, field)}
                value={form.cron[field]}
                onChange={(e) => set(field, e.target.value)}
              />
            )}
          </Field>
        ))}
      </div>
      <fieldset className="weekdays" disabled={!days} aria-label={t("editor.field.day_of_week")}>
        {weekdays.map((day) => (
          <button key={day} type="button" aria-pressed={days?.has(day) ?? false} onClick={() => toggle(day)}>
            {t(`editor.weekday.${day}`)}
          </button>
        ))}
        {!showMore && (
          <Button type="link" size="small" onClick={() => setMore(true)}>
            {t("editor.moreFields")}
          </Button>
        )}
      </fieldset>
      <p className="note">{t("editor.fieldsHint")}</p>
    </>
  );
}

function ZoneSelect({
  control,
  value,
  onChange,
  zones,
  serverZone,
}: {
  control: Control;
  value: string;
  onChange: (zone: string) => void;
  zones: string[];
  serverZone: string;
}) {
  const { t, i18n } = useTranslation();
  const options = useMemo(() => {
    const first = [readerZone, "UTC"];
    if (i18n.language === "zh" || readerZone === "Asia/Shanghai") first.unshift("Asia/Shanghai");
    if (value) first.push(value);
    const names = [...new Set([...first, ...zones])];
    const known = names.map((zone) => ({ value: zone, label: zone, offset: zoneOffset(zone) }));
    return [{ value: "", label: t("editor.timezoneServer", { zone: serverZone }), offset: "" }, ...known];
  }, [zones, value, serverZone, i18n.language, t]);
  return (
    <Select
      id={control.id}
      status={control.status}
      aria-describedby={control["aria-describedby"]}
      showSearch={{
        filterOption: (input, option) => matches(input, option?.value ?? "", option?.offset ?? ""),
      }}
      value={value}
      onChange={onChange}
      options={options}
      optionRender={(option) => (
        <span className="zone">
          <span>{option.data.label}</span> <span className="muted num">{option.data.offset}</span>
        </span>
      )}
      popupMatchSelectWidth={340}
      style={{ width: "100%" }}
    />
  );
}

// "new york" finds America/New_York, "+8" what is eight hours ahead.
function matches(input: string, zone: string, offset: string): boolean {
  const wanted = input.trim().toLowerCase().replaceAll(" ", "_");
  return (
    zone.toLowerCase().includes(wanted) ||
    offset
      .replace(/([+-])0/, "$1")
      .toLowerCase()
      .includes(wanted)
  );
}
