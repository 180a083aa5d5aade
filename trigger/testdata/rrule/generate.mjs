// Writes npm.jsonl.gz: random recurrence rules with what two other programs
// make of them, the npm packages rrule (a port of python-dateutil) and
// rrule-temporal (written anew). Developers run it, tests only read the file:
//
//   cp generate.mjs package.json "$(mktemp -d)" and change to that folder
//   npm install && node generate.mjs > npm.jsonl && gzip -9n npm.jsonl
//
// A line is {"rule","start","after","rrule","temporal"}: DTSTART and the times
// are wall-clock times, the last two the first twelve recurrences after an
// instant; null for a program that did not answer in 0.4 s (both have endless
// loops), text for one that refused. Lists are in order of their numbers, since
// rrule gives times of day in the order in which the rule names them.
import { isMainThread, parentPort, Worker } from "node:worker_threads";
import { fileURLToPath } from "node:url";

const wanted = 12;
const compact = (ms) => new Date(ms).toISOString().slice(0, 19).replace(/[-:]/g, "");

// parse reads the compact form, in UTC.
const parse = (t) =>
  Date.UTC(+t.slice(0, 4), +t.slice(4, 6) - 1, +t.slice(6, 8), +t.slice(9, 11), +t.slice(11, 13), +t.slice(13, 15));

// answer is what a worker does: it runs one of the programs.
async function answer() {
  const { rrulestr } = (await import("rrule")).default;
  const { RRuleTemporal } = await import("rrule-temporal");
  const programs = {
    // Each gives its recurrences to a function, until that is false.
    rrule: ({ rule, start }, take) =>
      rrulestr(rule, { dtstart: new Date(parse(start)) }).all((at) => take(at.getTime())),
    temporal: ({ rule, start }, take) =>
      new RRuleTemporal({ rruleString: `DTSTART:${start}Z\nRRULE:${rule}` }).all((at) => take(at.epochMilliseconds)),
  };
  parentPort.on("message", ({ program, test }) => {
    const after = parse(test.after);
    let times = [];
    try {
      programs[program](test, (at) => at <= after || times.push(compact(at)) < test.count);
    } catch (error) {
      times = String(error.message ?? error);
    }
    parentPort.postMessage(times);
  });
  parentPort.postMessage("ready");
}

// One worker asks; it is replaced when it hangs.
let worker;
const message = (limit) =>
  new Promise((resolve) => {
    const timer = limit && setTimeout(() => resolve(undefined), limit);
    worker.once("message", (m) => (clearTimeout(timer), resolve(m)));
  });

async function ask(program, test) {
  if (!worker) {
    worker = new Worker(fileURLToPath(import.meta.url));
    await message();
  }
  worker.postMessage({ program, test });
  const answer = await message(400);
  if (answer === undefined) {
    await worker.terminate();
    worker = undefined;
    return null;
  }
  return answer;
}

// mulberry32, so that the file can be made again.
let seed = 5545;
function random() {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const int = (low, high) => low + Math.floor(random() * (high - low + 1));
const chance = (p) => random() < p;
const pick = (list) => list[int(0, list.length - 1)];
const some = (most, one) =>
  [...new Set(Array.from({ length: int(1, most) }, one))].sort((a, b) => a - b).join(",");
const signed = (high) => () => (chance(0.3) ? -int(1, high) : int(1, high));

const days = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"];
const frequencies = ["SECONDLY", "MINUTELY", "HOURLY", "DAILY", "WEEKLY", "MONTHLY", "YEARLY"];
const second = 1000, day = 86400 * second;
const lengths = [second, 60 * second, 3600 * second, day, 7 * day, 30 * day, 365 * day];

// draw makes a rule without COUNT and UNTIL that the RFC allows.
function draw() {
  const freq = pick(frequencies);
  const rank = frequencies.indexOf(freq);
  const daily = rank >= 3;
  const parts = [`FREQ=${freq}`];
  const add = (p, name, value) => chance(p) && parts.push(`${name}=${value()}`);
  add(0.5, "INTERVAL", () => (daily ? int(1, 5) : pick([1, 2, 3, 5, 6, 7, 10, 15, 30, 45, 90, 100])));
  add(0.25, "WKST", () => pick(days));
  add(0.25, "BYMONTH", () => some(4, () => int(1, 12)));
  const week = freq === "YEARLY" && chance(0.3);
  if (week) parts.push(`BYWEEKNO=${some(3, () => (chance(0.3) ? pick([1, -1, 52, 53, -52, -53]) : signed(53)()))}`);
  if (freq === "YEARLY" || !daily) add(0.12, "BYYEARDAY", () => some(12, signed(366)));
  if (freq !== "WEEKLY") add(0.2, "BYMONTHDAY", () => some(6, signed(31)));
  const numbers = (freq === "MONTHLY" || freq === "YEARLY") && !week && chance(0.6);
  const most = freq === "YEARLY" && !parts.some((p) => p.startsWith("BYMONTH=")) ? 53 : 5;
  const plain = numbers ? 0.1 : 1;
  add(0.45, "BYDAY", () => some(4, () => (chance(plain) ? "" : signed(most)()) + pick(days)));
  add(0.3, "BYHOUR", () => some(4, () => int(0, 23)));
  add(0.3, "BYMINUTE", () => some(4, () => int(0, 59)));
  add(0.2, "BYSECOND", () => some(3, () => int(0, 59)));
  if (parts.some((p) => p.startsWith("BY"))) add(0.25, "BYSETPOS", () => some(3, () => pick([1, 2, 3, 4, 5, 8, 13, -1, -2, -3, -7])));
  return { rule: parts.join(";"), rank, interval: +(parts.find((p) => p.startsWith("INTERVAL=")) ?? "=1").split("=")[1] };
}

async function main() {
  for (let n = 0; n < 800; n++) await line();
  await worker?.terminate();
}

async function line() {
  const { rule, rank, interval } = draw();
  let start = parse("20200101T000000") + int(0, 6 * 366 * 86400) * second;
  // Mostly DTSTART fits the rule, as the RFC wants it to.
  const fits = chance(0.85);
  const dry = { rule, start: compact(start), after: compact(start - second), count: 1 };
  const first = await ask("rrule", dry);
  if (fits && first?.length) start = parse(first[0]);
  const length = lengths[rank] * interval;
  let end = "";
  if (fits && chance(0.2)) end = `;COUNT=${int(1, 40)}`;
  else if (chance(0.15)) {
    const until = compact(start + Math.floor(random() * 30) * length);
    end = ";UNTIL=" + (until.endsWith("T000000") ? until.slice(0, 8) : until + "Z");
  }
  const after = start - second + (chance(0.3) ? 0 : Math.floor((random() * 20 * length) / second) * second);
  const test = { rule: rule + end, start: compact(start), after: compact(after) };
  const asked = { ...test, count: wanted };
  const rrule = first && (await ask("rrule", asked)); // hangs once, hangs twice
  console.log(JSON.stringify({ ...test, rrule, temporal: await ask("temporal", asked) }));
}

await (isMainThread ? main() : answer());
