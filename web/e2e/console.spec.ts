import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Locator, Page } from "@playwright/test";
import { admin, expect, Server, test } from "./server";

test.describe.configure({ mode: "serial" });

async function signIn(page: Page, url: string) {
  await page.goto(`${url}/login`);
  await page.getByLabel("E-mail").fill(admin.email);
  await page.getByLabel("Password").fill(admin.password);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page).toHaveURL(/\/jobs$/);
}

// Opens the form for a new job and fills in what all kinds have.
async function newJob(page: Page, url: string, name: string, command: string, kind: string) {
  await page.goto(`${url}/jobs/new`);
  await page.getByLabel("Name", { exact: true }).fill(name);
  await page.getByLabel("Id", { exact: true }).fill(name);
  await page.getByLabel("Command").fill(command);
  await page.getByText(kind, { exact: true }).click();
}

async function save(page: Page, name: string) {
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page).toHaveURL(new RegExp(`/jobs/${name}$`));
  await expect(page.getByRole("heading", { name, level: 1 })).toBeVisible();
}

const plan = (page: Page): Locator => page.getByRole("region", { name: "What it will do" });
const row = (page: Page, name: string): Locator =>
  page.getByRole("row").filter({ has: page.getByRole("link", { name, exact: true }) });

test("the first account is created by the printed link", async ({ page }) => {
  const fresh = await new Server(false).start();
  try {
    await page.goto(`${fresh.url}/setup`);
    await expect(page.getByText("needs the link")).toBeVisible();
    await page.goto(fresh.setupLink); // only the fragment changes
    await expect(page.getByLabel("E-mail")).toBeVisible();
    await expect(page).toHaveURL(`${fresh.url}/setup`); // the token is off the address
    await page.getByLabel("E-mail").fill("first@example.com");
    await page.getByLabel("Name").fill("First");
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByLabel("Password again").fill("other");
    await page.getByRole("button", { name: "Create account" }).click();
    await expect(page.getByText("5 of at least 8")).toBeVisible();
    await expect(page.getByText("passwords differ")).toBeVisible();
    await page.getByLabel("Password", { exact: true }).fill("long enough now");
    await page.getByLabel("Password again").fill("long enough now");
    await page.getByRole("button", { name: "Create account" }).click();
    await expect(page).toHaveURL(`${fresh.url}/jobs`);
    await expect(page.getByText("No jobs yet")).toBeVisible();
  } finally {
    await fresh.remove();
  }
});

test("signing in tells what is wrong, and leads back to where one wanted to go", async ({ page, server }) => {
  await page.goto(`${server.url}/runs`);
  await expect(page).toHaveURL(/\/login\?next=/);
  await page.getByLabel("E-mail").fill(admin.email);
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("Enter the password")).toBeVisible();
  await page.getByLabel("Password").fill("not this one");
  await page.getByRole("button", { name: "Sign in" }).click();
  await expect(page.getByText("E-mail or password is wrong")).toBeVisible();
  await page.getByLabel("Password").fill(admin.password);
  await page.keyboard.press("Enter");
  await expect(page).toHaveURL(`${server.url}/runs`);
  await expect(page.getByText("No runs yet")).toBeVisible();
});

test("jobs of every kind are created through the form", async ({ page, server }) => {
  await signIn(page, server.url);

  await newJob(page, server.url, "by-date", "echo once", "Once");
  await page.getByLabel("Date and time").fill("2031-05-06 07:08:09");
  await page.keyboard.press("Enter");
  await expect(plan(page).getByText("2031-05-06 07:08:09", { exact: true })).toBeVisible();
  await save(page, "by-date");

  await newJob(
    page,
    server.url,
    "by-interval",
    'for i in 1 2 3 4; do echo "line $i"; done; echo oops >&2',
    "Every so often",
  );
  await page.getByLabel("seconds").fill("1");
  await expect(plan(page).getByText("every second")).toBeVisible();
  await page.getByLabel("Tags").fill("quick,");
  await save(page, "by-interval");

  await newJob(page, server.url, "by-fields", "echo fields", "By calendar");
  await page.getByRole("button", { name: "Working days" }).click();
  await page.getByLabel("Hour").fill("99");
  await expect(page.getByLabel("Hour")).toHaveAttribute("aria-invalid", "true");
  await expect(page.getByText("allowed 0-23").first()).toBeVisible();
  await page.getByLabel("Hour").fill("7");
  await expect(plan(page).getByText("07:00:00").first()).toBeVisible();
  await page.getByRole("button", { name: "Sat", exact: true }).click();
  await expect(page.getByLabel("Weekday", { exact: true }).first()).toHaveValue("mon-sat");
  await save(page, "by-fields");

  await newJob(page, server.url, "by-crontab", "echo crontab", "Crontab");
  await page.getByLabel("Expression").fill("*/5 9-17 * * mon-fri");
  await expect(plan(page).locator("td:first-child time")).toHaveCount(10);
  await page.keyboard.press("Control+Enter");
  await expect(page).toHaveURL(/\/jobs\/by-crontab$/);

  await newJob(page, server.url, "by-text", "echo text", "More");
  await page.getByRole("button", { name: "quartz", exact: true }).click();
  await expect(plan(page).getByText("at 12:00 on the last day of every month")).toBeVisible();
  await page.getByLabel("Trigger, as one line of text").fill('quartz "0 0 12 L * *"');
  await expect(page.getByText("exactly one of the two must be ?").first()).toBeVisible();
  await page
    .getByLabel("Trigger, as one line of text")
    .fill("cron hour=2 minute=30 on_gap=skip timezone=Europe/Berlin start_date=2031-03-29");
  await expect(plan(page).locator(".fire-skipped")).toContainText("2031-03-30 02:30:00");
  await expect(plan(page).getByText("02:30 does not exist that day; skipped").first()).toBeVisible();
  await page
    .getByLabel("Trigger, as one line of text")
    .fill('quartz "0 0 9 ? * MON-FRI" timezone=Asia/Shanghai');
  await expect(plan(page).getByText("at 09:00, Monday to Friday")).toBeVisible();
  await save(page, "by-text");
  await page.goto(`${server.url}/jobs/by-text/edit`);
  await expect(page.getByLabel("Trigger, as one line of text")).toHaveValue(/^quartz "0 0 9 \? \* MON-FRI"/);

  await page.goto(`${server.url}/jobs`);
  for (const name of ["by-date", "by-interval", "by-fields", "by-crontab", "by-text"])
    await expect(row(page, name)).toBeVisible();
});

test("what the form lacks is said beside the field", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/new`);
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("Enter the command to run")).toBeVisible();
  await expect(page.getByLabel("Command")).toBeFocused();
  await expect(page.getByText("Fill in at least one field")).toBeVisible();
  await newJob(page, server.url, "by-date", "echo again", "Crontab");
  await page.getByLabel("Expression").fill("0 0 1 1 *");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByText("A job with this id exists already")).toBeVisible();
  await page.getByRole("link", { name: "Cancel" }).click();
  await expect(page.getByRole("dialog")).toContainText("not saved");
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toBeHidden();
  await expect(page.getByLabel("Command")).toHaveValue("echo again");
  await page.getByRole("link", { name: "Cancel" }).click();
  await page.getByRole("button", { name: "Leave", exact: true }).click();
  await expect(page).toHaveURL(/\/jobs$/);
});

test("a job that fires every second shows its runs", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/by-interval`);
  await expect(page.getByText("every second")).toBeVisible();
  const succeeded = page.getByRole("link", { name: /^Succeeded, \d{4}-/ });
  await expect(succeeded.nth(2)).toBeVisible({ timeout: 20_000 });
  await succeeded.first().click();
  const output = page.getByRole("log");
  await expect(output).toContainText("line 4");
  await expect(output.locator(".line-stderr")).toHaveText(/oops/);
  await expect(page.getByText("5 lines")).toBeVisible();
});

test("output arrives while the run goes on", async ({ page, server }) => {
  const dir = mkdtempSync(join(tmpdir(), "jobcenter-e2e-"));
  await signIn(page, server.url);
  await newJob(
    page,
    server.url,
    "live",
    `seq 1 500; echo begun; until [ -e ${dir}/go ]; do sleep 0.1; done; echo released`,
    "Crontab",
  );
  await page.getByLabel("Expression").fill("0 0 1 1 *");
  await save(page, "live");
  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByRole("link", { name: "See the run" }).click();
  await expect(page.getByRole("log")).toContainText("begun");
  await expect(page.locator(".banner")).toContainText("Running");
  await expect(page.getByRole("log")).not.toContainText("released");
  // Who scrolls up is left there, until asked back to the end.
  await page.getByRole("log").hover();
  await page.mouse.wheel(0, -2000);
  const toEnd = page.getByRole("button", { name: "Jump to end" });
  await expect(toEnd).toBeVisible();
  writeFileSync(join(dir, "go"), "");
  await expect(page.getByRole("log")).toContainText("released");
  await expect(page.getByText("released", { exact: true })).not.toBeInViewport();
  await toEnd.click();
  await expect(page.getByText("released", { exact: true })).toBeInViewport();
  await expect(toEnd).toBeHidden();
  await expect(page.locator(".banner")).toContainText("Succeeded");
  rmSync(dir, { recursive: true });
});

test("pause, resume, edit, search, delete with undo", async ({ page, server }) => {
  await signIn(page, server.url);
  await row(page, "by-interval").getByRole("button", { name: "Pause: by-interval" }).click();
  await expect(row(page, "by-interval").getByText("Paused")).toBeVisible();
  await row(page, "by-interval").getByRole("button", { name: "Resume: by-interval" }).click();
  await expect(row(page, "by-interval").getByText("Paused")).toHaveCount(0);
  await row(page, "by-interval").getByRole("button", { name: "Pause: by-interval" }).click();
  await expect(row(page, "by-interval").getByText("Paused")).toBeVisible();

  await row(page, "by-fields").getByRole("button", { name: "More actions: by-fields" }).click();
  await page.getByRole("menuitem", { name: "Edit" }).click();
  await page.getByLabel("Name", { exact: true }).fill("Morning round");
  await page.getByRole("button", { name: /^Rules/ }).click();
  await page.getByLabel("Time limit").fill("5");
  await page.getByRole("button", { name: "Save" }).click();
  await expect(page.getByRole("heading", { name: "Morning round", level: 1 })).toBeVisible();
  await expect(page.getByText("5 min", { exact: true })).toBeVisible();

  await page.keyboard.press("/");
  await expect(page.getByRole("textbox", { name: "Search name" })).toBeFocused();
  await page.keyboard.type("morning");
  await expect(page).toHaveURL(/search=morning/);
  await expect(row(page, "Morning round")).toBeVisible();
  await expect(row(page, "by-date")).toHaveCount(0);

  await page.goto(`${server.url}/jobs`);
  await row(page, "by-date").getByRole("button", { name: "More actions: by-date" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await expect(row(page, "by-date")).toHaveCount(0);
  await page.getByRole("button", { name: "Undo" }).click();
  await expect(row(page, "by-date")).toBeVisible();
  await row(page, "by-date").getByRole("button", { name: "More actions: by-date" }).click();
  await page.getByRole("menuitem", { name: "Delete" }).click();
  await expect(page.getByText("Deleted by-date")).toBeVisible();
  await expect
    .poll(async () => (await page.request.get(`${server.url}/api/v1/jobs/by-date`)).status(), {
      timeout: 15_000,
    })
    .toBe(404);
});

test("an edit that somebody else overtook is not saved over theirs unasked", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/by-crontab/edit`);
  await page.getByLabel("Command").fill("echo mine");
  const other = await page.request.patch(`${server.url}/api/v1/jobs/by-crontab`, {
    data: { name: "Theirs" },
    headers: { "Content-Type": "application/merge-patch+json" },
  });
  expect(other.ok()).toBe(true);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Somebody else changed this job")).toBeVisible();
  await page.getByRole("button", { name: "Load their version" }).click();
  await expect(page.getByLabel("Name", { exact: true })).toHaveValue("Theirs");
  await expect(page.getByLabel("Command")).toHaveValue("echo crontab");
});

test("who is signed out while writing loses nothing", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/by-crontab/edit`);
  await page.getByLabel("Command").fill("echo kept");
  await page.request.delete(`${server.url}/api/v1/session`);
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await expect(page.getByText("Sign in in another tab")).toBeVisible();
  await expect(page.getByLabel("Command")).toHaveValue("echo kept");
  await expect(await page.request.post(`${server.url}/api/v1/session`, { data: admin })).toBeOK();
  await page.getByRole("button", { name: /Save$/ }).click(); // its spinner may linger unseen
  await expect(page).toHaveURL(/\/jobs\/by-crontab$/);
  await expect(page.locator("pre")).toHaveText("echo kept");
});

test("run now and stop", async ({ page, server }) => {
  await signIn(page, server.url);
  await newJob(page, server.url, "long", "echo begun; sleep 300", "Crontab");
  await page.getByLabel("Expression").fill("0 0 1 1 *");
  await save(page, "long");
  await page.getByRole("button", { name: "Run now" }).click();
  await page.getByRole("link", { name: "See the run" }).click();
  await expect(page.getByRole("log")).toContainText("begun");
  await page.getByRole("button", { name: "Stop", exact: true }).click();
  await expect(page.locator(".banner")).toContainText("Stopped");
});

test("jobs, runs and output are there after a restart", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/long`);
  await page.getByRole("table", { name: "Runs" }).getByRole("link", { name: "Stopped" }).click();
  await expect(page.getByRole("log")).toContainText("begun");
  const run = page.url();
  await page.goto(`${server.url}/jobs`);
  await server.stop();
  await expect(page.getByText("The server does not answer")).toBeVisible();
  await server.start();
  await expect(page.getByText("The server does not answer")).toBeHidden();
  await expect(row(page, "Morning round")).toBeVisible();
  await page.goto(run);
  await expect(page.locator(".banner")).toContainText("Stopped");
  await expect(page.getByRole("log")).toContainText("begun");
});

test("output is taken up where it broke off when the server was killed", async ({ page, server }) => {
  await signIn(page, server.url);
  const api = `${server.url}/api/v1`;
  const job = {
    id: "endless",
    task: { type: "shell", command: "i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done" },
    trigger: { type: "crontab", expression: "0 0 1 1 *" },
  };
  await expect(await page.request.post(`${api}/jobs`, { data: job })).toBeOK();
  const run = await (await page.request.post(`${api}/jobs/endless/run`)).json();
  await page.goto(`${server.url}/runs/${run.id}`);
  await expect(page.getByRole("log")).toContainText("line 50");
  await server.kill();
  await expect(page.getByText("The connection broke")).toBeVisible();
  await server.start();
  await expect(page.locator(".banner")).toContainText("Lost", { timeout: 20_000 });
  await expect(page.getByText("The connection broke")).toBeHidden();
  const kept = await (await page.request.get(`${api}/runs/${run.id}/output`)).text();
  await expect(page.locator(".line")).toHaveCount(kept.trimEnd().split("\n").length);
  const shown = await page.locator(".line-text").evaluateAll((lines) => lines.map((l) => l.textContent));
  expect(shown).toEqual(shown.map((_, i) => `line ${i + 1}`));
});

test("a long list goes page by page, and a filter leads back to the first", async ({ page, server }) => {
  await signIn(page, server.url);
  for (let i = 1; i <= 130; i++) {
    const data = {
      id: `bulk-${String(i).padStart(3, "0")}`,
      tags: ["bulk"],
      task: { type: "shell", command: "true" },
      trigger: { type: "crontab", expression: "0 0 1 1 *" },
    };
    await expect(await page.request.post(`${server.url}/api/v1/jobs`, { data })).toBeOK();
  }
  await page.goto(`${server.url}/jobs?tag=bulk&sort=name`);
  const first = page.locator("tbody tr").first();
  const next = page.getByRole("button", { name: "Next page" });
  await next.click();
  await expect(first).toContainText("bulk-051");
  await expect(page.getByText("51–100")).toBeVisible();
  await next.click();
  await expect(page.getByText("101–130")).toBeVisible();
  await expect(next).toHaveCount(0);
  await expect(page.locator("main")).toBeFocused();
  await first.getByRole("link", { name: "bulk-101" }).click();
  await expect(page.getByRole("heading", { name: "bulk-101", level: 1 })).toBeVisible();
  await page.goBack();
  await expect(page.getByText("101–130")).toBeVisible();
  await page.reload();
  await page.getByRole("button", { name: "Previous page" }).click();
  await expect(first).toContainText("bulk-051");
  await page.getByRole("textbox", { name: "Search name" }).fill("bulk-1");
  await expect(first).toContainText("bulk-100");
  await expect(page).toHaveURL(`${server.url}/jobs?tag=bulk&sort=name&search=bulk-1`);
});

test("signing out carries out what waits to be undone", async ({ page, server }) => {
  await signIn(page, server.url);
  await page.goto(`${server.url}/jobs/endless`);
  await page.getByRole("button", { name: "Delete" }).click();
  await expect(page.getByText("Deleted endless")).toBeVisible();
  await page.getByRole("button", { name: "Account" }).click();
  await page.getByRole("menuitem", { name: "Sign out" }).click();
  await expect(page).toHaveURL(/\/login$/);
  await expect(page.getByText("Deleted endless")).toBeHidden();
  await page.goto(`${server.url}/jobs`);
  await expect(page).toHaveURL(/\/login$/);
  await signIn(page, server.url);
  expect((await page.request.get(`${server.url}/api/v1/jobs/endless`)).status()).toBe(404);
});
