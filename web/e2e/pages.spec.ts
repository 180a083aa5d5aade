import { mkdirSync } from "node:fs";
import { join } from "node:path";
import AxeBuilder from "@axe-core/playwright";
import type { APIRequestContext, BrowserContext, Page } from "@playwright/test";
import { admin, expect, Server, test } from "./server";

// Every page in both languages, both themes, on a desktop and a phone: a
// screenshot for people to look at, and axe for what it can find.

const shots = join(import.meta.dirname, "../screenshots");
mkdirSync(shots, { recursive: true });

const jobs = [
  {
    id: "backup-db",
    name: "Nightly backup",
    tags: ["db", "prod"],
    task: {
      type: "shell",
      command: 'set -eu\npg_dump --format=custom shop > "shop-$(date +%F).dump"\nls -l',
      directory: "/tmp",
      environment: { PGHOST: "db.internal", PGDATABASE: "shop" },
    },
    trigger: { type: "cron", hour: "2", minute: "30", timezone: "Asia/Shanghai" },
    timeout: "30m",
  },
  {
    id: "probe",
    name: "每秒探测",
    tags: ["监控"],
    task: { type: "shell", command: 'echo "ok $(date +%T)"; sleep 0.$(date +%N | cut -c1)' },
    trigger: { type: "interval", seconds: 1 },
  },
  {
    id: "import",
    name: "Import orders",
    task: {
      type: "shell",
      command: [
        "printf '\\033[1mImport\\033[0m of \\033[36morders.csv\\033[0m\\n'",
        'for i in $(seq 1 40); do echo "row $i: imported"; done',
        "printf '\\033[33mwarning:\\033[0m row 41 has no customer\\n' >&2",
        "echo 'error: 订单 42 的金额无效' >&2",
        "exit 3",
      ].join("\n"),
    },
    trigger: { type: "crontab", expression: "*/5 9-17 * * mon-fri", timezone: "Europe/Berlin" },
  },
  {
    id: "report",
    name: "每周报表汇总",
    paused: true,
    tags: ["finance"],
    task: { type: "shell", command: "echo report" },
    trigger: { type: "crontab", expression: "0 9 * * mon", timezone: "Asia/Shanghai" },
  },
  {
    id: "migration",
    name: "Migration",
    task: { type: "shell", command: "echo migrating; sleep 600" },
    trigger: { type: "date", run_date: "2031-05-06T07:08:09", timezone: "UTC" },
  },
];

const runs: Record<string, string> = {};

async function seed(request: APIRequestContext, url: string) {
  const api = `${url}/api/v1`;
  await expect(await request.post(`${api}/session`, { data: admin })).toBeOK();
  for (const data of jobs) await expect(await request.post(`${api}/jobs`, { data })).toBeOK();
  for (const id of ["import", "migration"]) {
    const started = await request.post(`${api}/jobs/${id}/run`);
    runs[id] = (await started.json()).id;
  }
  const ended = async () => (await (await request.get(`${api}/runs/${runs.import}`)).json()).state;
  await expect.poll(ended).toBe("failed");
  const ticks = async () => (await (await request.get(`${api}/runs?job=probe`)).json()).items.length;
  await expect.poll(ticks, { timeout: 15_000 }).toBeGreaterThan(6);
}

test.beforeAll(async ({ playwright, server }) => {
  const request = await playwright.request.newContext();
  await seed(request, server.url);
  await request.dispose();
});

async function signedIn(context: BrowserContext, url: string) {
  await expect(await context.request.post(`${url}/api/v1/session`, { data: admin })).toBeOK();
}

// Says that the page shows what it is for; a screenshot before that is worth nothing.
const pages: { name: string; path: () => string; ready: (page: Page) => Promise<void> }[] = [
  {
    name: "jobs",
    path: () => "/jobs",
    ready: (page) => expect(page.locator("tbody tr")).toHaveCount(jobs.length),
  },
  {
    name: "jobs-none",
    path: () => "/jobs?search=nothing-like-it",
    ready: (page) => expect(page.locator(".empty")).toBeVisible(),
  },
  {
    name: "job-new",
    path: () => "/jobs/new",
    ready: async (page) => {
      await page.locator(".presets button").nth(3).click();
      await expect(page.locator(".fires td:first-child time")).toHaveCount(10);
    },
  },
  {
    name: "job-edit",
    path: () => "/jobs/backup-db/edit",
    ready: async (page) => {
      await page.locator(".folded").click();
      await expect(page.locator(".fires td:first-child time")).toHaveCount(10);
    },
  },
  {
    name: "job-errors",
    path: () => "/jobs/new",
    ready: async (page) => {
      await page.locator("[data-field=hour]").fill("99");
      await page.locator("[type=submit]").click();
      await expect(page.locator("[data-field=hour][aria-invalid]")).toBeVisible();
    },
  },
  {
    name: "job",
    path: () => "/jobs/probe",
    ready: (page) => expect(page.locator(".bar").nth(5)).toBeVisible(),
  },
  {
    name: "runs",
    path: () => "/runs",
    ready: (page) => expect(page.locator("tbody tr").nth(5)).toBeVisible(),
  },
  {
    name: "run-failed",
    path: () => `/runs/${runs.import}`,
    ready: (page) => expect(page.locator(".line-stderr")).toHaveCount(2),
  },
  {
    name: "run-running",
    path: () => `/runs/${runs.migration}`,
    ready: (page) => expect(page.locator(".line")).toHaveCount(1),
  },
  {
    name: "not-found",
    path: () => "/nowhere",
    ready: (page) => expect(page.locator(".empty")).toBeVisible(),
  },
];

async function look(page: Page, name: string, axe = true) {
  // What moves (countdowns, arcs) does not matter; what still loads does.
  await page.evaluate(() => document.fonts.ready.then(() => undefined));
  await expect(page.getByRole("heading").first()).toBeVisible(); // an empty page passes every check
  await page.screenshot({ path: join(shots, `${name}.png`), animations: "disabled" });
  // Nothing sticks out to the right.
  const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  expect.soft(tooWide, `${name} is too wide`).toBeLessThanOrEqual(0);
  if (!axe) return;
  const found = await new AxeBuilder({ page }).analyze();
  const grave = found.violations.filter((v) => v.impact === "serious" || v.impact === "critical");
  expect
    .soft(
      grave.map(
        (v) =>
          `${name}: ${v.id}: ${v.help}\n${v.nodes.map((n) => `  ${n.target.join(" ")} ${n.html}`).join("\n")}`,
      ),
    )
    .toEqual([]);
}

for (const language of ["en", "zh"] as const) {
  for (const theme of ["light", "dark"] as const) {
    for (const [width, height] of [
      [1366, 820],
      [390, 844],
    ] as const) {
      test.describe(`${language} ${theme} ${width}`, () => {
        test.use({
          locale: language === "zh" ? "zh-CN" : "en-GB",
          timezoneId: language === "zh" ? "Asia/Shanghai" : "Europe/Berlin",
          colorScheme: theme,
          viewport: { width, height },
        });
        // Colours and structure do not depend on the language: a half is enough.
        const axe = (language === "en") === width > 700;
        const suffix = `${language}-${theme}-${width}`;

        test("pages", async ({ page, context, server }) => {
          await signedIn(context, server.url);
          for (const { name, path, ready } of pages) {
            await test.step(name, async () => {
              await page.goto(server.url + path());
              await expect(page.locator("html")).toHaveAttribute("lang", language === "zh" ? "zh-CN" : "en");
              await expect(page.locator("html")).toHaveAttribute("data-theme", theme);
              await ready(page);
              await look(page, `${name}-${suffix}`, axe);
            });
          }
        });

        test("sign-in", async ({ page, server }) => {
          await page.goto(`${server.url}/login`);
          await page.locator("[type=submit]").click();
          await expect(page.locator(".note-error")).toHaveCount(2);
          await look(page, `login-${suffix}`, axe);
        });
      });
    }
  }
}

test("set-up, and jobs when there is none", async ({ page }) => {
  const fresh = await new Server(false).start();
  try {
    await page.goto(fresh.setupLink);
    await expect(page.locator("[type=email]")).toBeVisible();
    await look(page, "setup-en-light-1366");
    await page.locator("[type=email]").fill("first@example.com");
    await page.locator("[autocomplete=new-password]").nth(0).fill("long enough now");
    await page.locator("[autocomplete=new-password]").nth(1).fill("long enough now");
    await page.locator("[type=submit]").click();
    await expect(page.locator(".empty")).toBeVisible();
    await look(page, "jobs-empty-en-light-1366");
    await page.goto(`${fresh.url}/runs`);
    await expect(page.locator(".empty")).toBeVisible();
    await look(page, "runs-empty-en-light-1366");
  } finally {
    await fresh.remove();
  }
});

test("language and theme are switched by hand, and kept", async ({ page, context, server }) => {
  await signedIn(context, server.url);
  await page.goto(`${server.url}/jobs`);
  await page.getByRole("button", { name: "中文" }).click();
  await expect(page.getByRole("heading", { name: "任务" })).toBeVisible();
  await expect(page.getByText("每天 02:30")).toBeVisible();
  await page.getByRole("button", { name: /^主题/ }).click();
  await page.getByRole("menuitem", { name: "深色" }).click();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await page.reload();
  await expect(page.locator("html")).toHaveAttribute("data-theme", "dark");
  await expect(page.getByRole("heading", { name: "任务" })).toBeVisible();
});
