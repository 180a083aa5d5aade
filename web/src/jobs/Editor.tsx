import { DeleteOutlined, DownOutlined, PlusOutlined, RightOutlined } from "@ant-design/icons";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { Alert, Button, Checkbox, Input, InputNumber, Modal, Select } from "antd";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useBlocker, useNavigate, useParams } from "react-router";
import { api } from "../api/client";
import { serverNow } from "../api/connection";
import { asProblem, type Problem } from "../api/problem";
import type { Job } from "../api/types";
import { noteUnsaved } from "../frame/session";
import { Title } from "../frame/title";
import { DurationInput } from "../ui/DurationInput";
import { seconds } from "../ui/duration";
import { Field, FieldGroup } from "../ui/Field";
import { LinkButton } from "../ui/LinkButton";
import { Empty, LoadFailed, Placeholder } from "../ui/Notes";
import { problemText } from "../ui/problems";
import { Countdown } from "../ui/Times";
import { toast } from "../ui/Toasts";
import { readerZone, span } from "../ui/time";
import { emptyForm, fieldErrors, type JobForm, readJob, writeJob } from "./form";
import { firstFire, PreviewPanel } from "./Preview";
import { TriggerFields } from "./TriggerFields";
import { cronFields, writeTrigger } from "./trigger";

export function Component() {
  const { t } = useTranslation();
  const { id } = useParams();
  const system = useQuery({ queryKey: ["system"], queryFn: () => api.system() });
  const [version, setVersion] = useState(0);
  const job = useQuery({
    queryKey: ["edited", id],
    queryFn: () => api.job(id ?? ""),
    enabled: Boolean(id),
    // The form is filled from it once: nothing may change under the writer's hands.
    staleTime: Number.POSITIVE_INFINITY,
    gcTime: 0,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const title = id ? t("editor.editTitle", { name: job.data?.name ?? id }) : t("editor.newTitle");
  if (job.isError) {
    if (asProblem(job.error).status === 404) {
      return (
        <>
          <Title text={title} />
          <Empty title={t("error.jobNotFound")} hint={t("error.jobNotFoundHint")} />
        </>
      );
    }
    return <LoadFailed error={job.error} retry={() => void job.refetch()} />;
  }
  return (
    <>
      <Title text={title} />
      {system.isPending || (id && job.isPending) ? (
        <Placeholder lines={6} height={80} />
      ) : (
        <Form
          key={`${id} ${version}`}
          job={job.data}
          serverZone={system.data?.timezone ?? "UTC"}
          reload={async () => {
            await job.refetch();
            setVersion((n) => n + 1);
          }}
        />
      )}
    </>
  );
}

function Form({ job, serverZone, reload }: { job?: Job; serverZone: string; reload: () => void }) {
  const { t, i18n } = useTranslation();
  const navigate = useNavigate();
  const queries = useQueryClient();
  const [first] = useState(() =>
    job
      ? readJob(job, serverZone)
      : emptyForm(i18n.language === "zh" && readerZone === "UTC" ? "Asia/Shanghai" : readerZone),
  );
  const [form, setForm] = useState<JobForm>(first);
  const [checked, setChecked] = useState(false);
  const [rules, setRules] = useState(false);
  const [version, setVersion] = useState(job?.version ?? 0);
  const saved = useRef(false);
  const element = useRef<HTMLFormElement>(null);
  const zones = useQuery({
    queryKey: ["timezones"],
    queryFn: () => api.timezones(),
    staleTime: Number.POSITIVE_INFINITY,
  });

  const save = useMutation({
    mutationFn: (over: number) => {
      const input = writeJob(form);
      if (!input) throw new Error("incomplete");
      return job ? api.replaceJob(job.id, input, over) : api.createJob(input);
    },
    onSuccess: async (stored) => {
      saved.current = true;
      queries.setQueryData(["job", stored.id, i18n.language], stored);
      void queries.invalidateQueries({ queryKey: ["jobs"] });
      // Signed in again elsewhere: the frame must know before nothing is unsaved.
      if (queries.getQueryState(["session"])?.error) await queries.refetchQueries({ queryKey: ["session"] });
      toast(t(job ? "editor.saved" : "editor.created", { name: stored.name }));
      await navigate(`/jobs/${encodeURIComponent(stored.id)}`);
    },
    onError: () => window.setTimeout(() => focusFirstError(element.current)),
  });

  const change = (to: Partial<JobForm>) => {
    setForm((old) => ({ ...old, ...to }));
    if (save.isError) save.reset();
  };
  const preview = usePreview(form, serverZone);
  const next = preview.data && firstFire(preview.data);
  const own = ownErrors(form, checked, t);
  const problem = save.error ? asProblem(save.error) : undefined;
  const line = form.trigger.kind === "more";
  const serverErrors = problem ? fieldErrors(problem.errors, t, line) : {};
  if (problem?.code === "conflict") serverErrors.id = t("editor.idTaken");
  const previewErrors = preview.problem ? fieldErrors(preview.problem.errors, t, line) : {};
  const errors = { ...previewErrors, ...serverErrors, ...own };
  const dirty = form !== first;
  const rulesShown = rules || ruleFields.some((field) => errors[field]);

  const blocker = useBlocker(
    ({ currentLocation, nextLocation }) =>
      dirty && !saved.current && currentLocation.pathname !== nextLocation.pathname,
  );
  useEffect(() => {
    noteUnsaved(dirty);
    return () => noteUnsaved(false);
  }, [dirty]);
  useEffect(() => {
    if (!dirty) return;
    const ask = (event: BeforeUnloadEvent) => !saved.current && event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [dirty]);

  const submit = (event?: FormEvent) => {
    event?.preventDefault();
    setChecked(true);
    if (save.isPending) return;
    if (Object.keys(ownErrors(form, true, t)).length === 0) save.mutate(version);
    else window.setTimeout(() => focusFirstError(element.current));
  };
  const onKey = (event: KeyboardEvent) => {
    if (event.key !== "Enter") return;
    const all = event.ctrlKey || event.metaKey;
    // Enter ends an input, such as a tag or a date; it must not save half a form.
    if (all || event.target instanceof HTMLInputElement) event.preventDefault();
    if (all) submit();
  };
  const stale = problem?.code === "version_changed" || problem?.status === 412;
  const shownInFields = Object.keys(serverErrors).some((key) => key !== "");

  return (
    <>
      <Modal
        open={blocker.state === "blocked"}
        title={t("editor.leaveTitle")}
        okText={t("editor.leave")}
        okButtonProps={{ danger: true }}
        cancelButtonProps={{ autoFocus: true }}
        closable={false}
        cancelText={t("editor.stay")}
        onOk={() => blocker.proceed?.()}
        onCancel={() => blocker.reset?.()}
        width={420}
      >
        {t("editor.leaveHint")}
      </Modal>
      <form className="editor" onSubmit={submit} onKeyDown={onKey} noValidate ref={element}>
        <div className="editor-form">
          {stale && (
            <Alert
              type="warning"
              showIcon
              role="alert"
              title={t("editor.conflictTitle")}
              description={t("editor.conflictHint")}
              action={
                <span className="stack">
                  <Button size="small" onClick={reload}>
                    {t("editor.loadTheirs")}
                  </Button>
                  <Button
                    size="small"
                    danger
                    onClick={async () => {
                      const now = await api.job(job?.id ?? "").catch(() => undefined);
                      if (now) setVersion(now.version);
                      save.mutate(now?.version ?? version);
                    }}
                  >
                    {t("editor.saveMine")}
                  </Button>
                </span>
              }
            />
          )}
          {problem && !stale && (
            <Alert
              type="error"
              showIcon
              role="alert"
              title={shownInFields ? t("editor.notSaved") : problemText(problem, t)}
            />
          )}
          <What form={form} change={change} errors={errors} fixed={Boolean(job)} />
          <section>
            <h2>{t("editor.when")}</h2>
            <TriggerFields
              form={form.trigger}
              change={(to) => change({ trigger: { ...form.trigger, ...to } })}
              errors={errors}
              zones={zones.data?.items ?? []}
              serverZone={serverZone}
            />
          </section>
          <section>
            <h2>
              <button
                type="button"
                className="folded"
                aria-expanded={rulesShown}
                onClick={() => setRules(!rulesShown)}
              >
                {rulesShown ? <DownOutlined aria-hidden /> : <RightOutlined aria-hidden />}{" "}
                {t("editor.rules")}
                {!rulesShown && <span className="folded-summary">{rulesInWords(form, t)}</span>}
              </button>
            </h2>
            {rulesShown && <Rules form={form} change={change} errors={errors} />}
          </section>
        </div>
        <div className="editor-side">
          <PreviewPanel
            preview={preview.data}
            waiting={preview.waiting}
            zone={(line && preview.data?.timezone) || form.trigger.timezone || serverZone}
            problem={preview.problem ? problemInWords(preview.problem, t, line) : undefined}
          />
        </div>
        <div className="editor-save">
          <span className="editor-next">
            {preview.data && next && !preview.problem && (
              <>
                <span className="cut">{preview.data.description}</span>
                <span className="cut second">
                  <Countdown at={next.time} />
                </span>
              </>
            )}
          </span>
          <kbd className="editor-key">{t("editor.shortcut")}</kbd>
          <LinkButton to={job ? `/jobs/${encodeURIComponent(job.id)}` : "/jobs"}>
            {t("action.cancel")}
          </LinkButton>
          <Button type="primary" htmlType="submit" loading={save.isPending}>
            {t("action.save")}
          </Button>
        </div>
      </form>
    </>
  );
}

// What the folded part of the form holds: an error there unfolds it.
const ruleFields = ["timeout", "max_instances", "misfire_grace", "coalesce"];

// The first thing that is wrong, with the name of its cron field, whose input
// may be out of sight.
function problemInWords(problem: Problem, t: Translate, line: boolean): string {
  const [path = "", message] = Object.entries(fieldErrors(problem.errors, t, line))[0] ?? [];
  if (!message) return problemText(problem, t);
  const field = cronFields.find((name) => path === `trigger.${name}`);
  return field ? t("action.of", { action: t(`editor.field.${field}`), name: message }) : message;
}

type Translate = ReturnType<typeof useTranslation>["t"];
type Part = { form: JobForm; change: (change: Partial<JobForm>) => void; errors: Record<string, string> };

function What({ form, change, errors, fixed }: Part & { fixed: boolean }) {
  const { t } = useTranslation();
  const nextKey = useRef(form.environment.length);
  return (
    <section>
      <h2>{t("editor.what")}</h2>
      <div className="fields-2">
        <Field label={t("editor.name")} hint={t("editor.nameHint")} error={errors.name}>
          {(control) => (
            <Input
              {...control}
              autoFocus={!fixed}
              autoComplete="off"
              value={form.name}
              onChange={(e) => change({ name: e.target.value })}
            />
          )}
        </Field>
        <Field label={t("editor.id")} hint={t(fixed ? "editor.idFixed" : "editor.idHint")} error={errors.id}>
          {(control) => (
            <Input
              {...control}
              className="mono"
              autoComplete="off"
              spellCheck={false}
              readOnly={fixed}
              value={form.id}
              onChange={(e) => change({ id: e.target.value })}
            />
          )}
        </Field>
      </div>
      <Field label={t("editor.command")} hint={t("editor.commandHint")} error={errors["task.command"]}>
        {(control) => (
          <Input.TextArea
            {...control}
            className="mono"
            spellCheck={false}
            autoSize={{ minRows: 3, maxRows: 16 }}
            value={form.command}
            onChange={(e) => change({ command: e.target.value })}
          />
        )}
      </Field>
      <div className="fields-2">
        <Field
          label={t("editor.directory")}
          hint={t("editor.directoryHint")}
          error={errors["task.directory"]}
        >
          {(control) => (
            <Input
              {...control}
              className="mono"
              spellCheck={false}
              autoComplete="off"
              value={form.directory}
              onChange={(e) => change({ directory: e.target.value })}
            />
          )}
        </Field>
        <Field label={t("editor.tags")} hint={t("editor.tagsHint")} error={errors.tags}>
          {(control) => (
            <Select
              id={control.id}
              aria-describedby={control["aria-describedby"]}
              status={control.status}
              mode="tags"
              open={false}
              suffixIcon={null}
              tokenSeparators={[",", "，", " "]}
              value={form.tags}
              onChange={(tags) => change({ tags })}
              style={{ width: "100%" }}
            />
          )}
        </Field>
      </div>
      <FieldGroup
        label={t("editor.environment")}
        hint={t("editor.environmentHint")}
        error={errors["task.environment"]}
      >
        {form.environment.map((variable, i) => {
          const set = (to: Partial<typeof variable>) =>
            change({ environment: form.environment.with(i, { ...variable, ...to }) });
          return (
            <div key={variable.key} className="variable">
              <Input
                className="mono"
                spellCheck={false}
                aria-label={t("editor.variable")}
                placeholder={t("editor.variable")}
                value={variable.name}
                onChange={(e) => set({ name: e.target.value })}
              />
              <Input
                className="mono"
                spellCheck={false}
                aria-label={t("editor.value")}
                placeholder={t("editor.value")}
                value={variable.value}
                onChange={(e) => set({ value: e.target.value })}
              />
              <Button
                type="text"
                icon={<DeleteOutlined aria-hidden />}
                aria-label={t("editor.removeVariable", { name: variable.name })}
                title={t("editor.removeVariable", { name: variable.name })}
                onClick={() => change({ environment: form.environment.toSpliced(i, 1) })}
              />
            </div>
          );
        })}
        <Button
          size="small"
          icon={<PlusOutlined aria-hidden />}
          onClick={() =>
            change({ environment: [...form.environment, { key: nextKey.current++, name: "", value: "" }] })
          }
        >
          {t("editor.addVariable")}
        </Button>
      </FieldGroup>
    </section>
  );
}

function Rules({ form, change, errors }: Part) {
  const { t } = useTranslation();
  return (
    <div className="fields-2">
      <Field label={t("editor.timeout")} hint={t("editor.timeoutHint")} error={errors.timeout}>
        {(control) => (
          <DurationInput
            control={control}
            value={form.timeout}
            onChange={(timeout) => change({ timeout })}
            placeholder={t("editor.timeoutDefault")}
          />
        )}
      </Field>
      <Field label={t("editor.instances")} hint={t("editor.instancesHint")} error={errors.max_instances}>
        {(control) => (
          <InputNumber
            {...control}
            min={1}
            precision={0}
            placeholder="1"
            value={form.instances}
            onChange={(instances) => change({ instances })}
            style={{ width: 120 }}
          />
        )}
      </Field>
      <Field
        label={t("editor.grace")}
        hint={form.grace === "default" ? t("editor.graceDefaultHint") : undefined}
        error={errors.misfire_grace}
      >
        {(control) => (
          <div className="side-by-side">
            <Select
              id={control.id}
              aria-describedby={control["aria-describedby"]}
              value={form.grace}
              onChange={(grace) => change({ grace })}
              style={{ minWidth: 130 }}
              options={[
                { value: "default", label: t("editor.graceDefault") },
                { value: "own", label: t("editor.graceOwn") },
                { value: "unlimited", label: t("editor.graceUnlimited") },
              ]}
            />
            {form.grace === "own" && (
              <DurationInput
                control={{ id: `${control.id}-own`, "aria-describedby": control["aria-describedby"] }}
                value={form.graceOwn}
                onChange={(graceOwn) => change({ graceOwn })}
              />
            )}
          </div>
        )}
      </Field>
      <Field label={t("editor.coalesce")} error={errors.coalesce}>
        {(control) => (
          <Select
            id={control.id}
            aria-describedby={control["aria-describedby"]}
            value={form.coalesce}
            onChange={(coalesce) => change({ coalesce })}
            options={[
              { value: "latest", label: t("editor.coalesceLatest") },
              { value: "earliest", label: t("editor.coalesceEarliest") },
              { value: "all", label: t("editor.coalesceAll") },
            ]}
            style={{ width: "100%" }}
          />
        )}
      </Field>
      <div className="field">
        <Checkbox checked={form.paused} onChange={(e) => change({ paused: e.target.checked })}>
          {t("editor.paused")}
        </Checkbox>
        <div className="note">{t("editor.pausedHint")}</div>
      </div>
    </div>
  );
}

function rulesInWords(form: JobForm, t: Translate): string {
  const words = (duration: string) => span((seconds(duration) ?? 0) * 1000, t);
  return t("editor.rulesSummary", {
    timeout: form.timeout ? words(form.timeout) : t("editor.timeoutDefault"),
    grace:
      form.grace === "default"
        ? t("editor.graceDefault")
        : form.grace === "unlimited"
          ? t("editor.graceUnlimited")
          : `${t("editor.graceOwn")} ${form.graceOwn ? words(form.graceOwn) : "…"}`,
    coalesce: t(
      form.coalesce === "all"
        ? "editor.coalesceAll"
        : form.coalesce === "earliest"
          ? "editor.coalesceEarliest"
          : "editor.coalesceLatest",
    ),
    instances: form.instances ?? 1,
  });
}

// What the form itself can tell, once one has tried to save.
function ownErrors(form: JobForm, checked: boolean, t: Translate): Record<string, string> {
  const errors: Record<string, string> = {};
  if (!checked) return errors;
  if (form.command.trim() === "") errors["task.command"] = t("editor.commandNeeded");
  const names = form.environment.map((v) => v.name.trim());
  if (form.environment.some((v) => v.name.trim() === "" && v.value !== ""))
    errors["task.environment"] = t("editor.variableNeeded");
  const twice = names.find((name, i) => name !== "" && names.indexOf(name) !== i);
  if (twice) errors["task.environment"] = t("editor.variableTwice", { name: twice });
  if (form.grace === "own" && !form.graceOwn) errors.misfire_grace = t("editor.graceNeeded");
  if (!writeTrigger(form.trigger)) {
    if (form.trigger.kind === "date") errors["trigger.run_date"] = t("editor.runDateNeeded");
    if (form.trigger.kind === "interval") errors["trigger.weeks"] = t("editor.intervalNeeded");
    if (form.trigger.kind === "cron") errors.trigger = t("editor.cronNeeded");
    if (form.trigger.kind === "crontab") errors["trigger.expression"] = t("editor.expressionNeeded");
    if (form.trigger.kind === "more") errors["trigger.text"] = t("editor.textNeeded");
  }
  return errors;
}

// The server's word on the trigger, a moment after typing rests. The last good
// answer stays until the next one is there.
function usePreview(form: JobForm, serverZone: string) {
  const { i18n } = useTranslation();
  const trigger = JSON.stringify(writeTrigger(form.trigger) ?? null);
  const jobId = form.id.trim();
  const [settled, setSettled] = useState(trigger);
  useEffect(() => {
    const timer = window.setTimeout(() => setSettled(trigger), 250);
    return () => window.clearTimeout(timer);
  }, [trigger]);
  const query = useQuery({
    queryKey: ["preview", i18n.language, serverZone, settled, jobId],
    queryFn: ({ signal }) => api.preview(JSON.parse(settled), 10, jobId, signal),
    enabled: settled !== "null",
    placeholderData: (before) => before,
    retry: false,
    staleTime: 10_000,
    // Asked again once the first fire time has passed.
    refetchInterval: ({ state }) => {
      const first = state.data && firstFire(state.data);
      return first ? Math.min(Math.max(Date.parse(first.time) - serverNow(), 2000), 60_000) : false;
    },
  });
  const none = settled === "null";
  return {
    data: none ? undefined : query.data,
    problem: none || !query.error ? undefined : asProblem(query.error),
    waiting: settled !== trigger || query.isPlaceholderData,
  };
}

function focusFirstError(form: HTMLFormElement | null) {
  const field = form?.querySelector<HTMLElement>("[aria-invalid=true], .note-error");
  field?.scrollIntoView({ block: "center" });
  field?.focus();
}
