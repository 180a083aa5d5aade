import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test as base, expect } from "@playwright/test";

export const admin = { email: "ada@example.com", password: "correct horse battery" };

// A real JobCenter server on a data folder of its own.
export class Server {
  url = "";
  setupLink = "";
  // Whether it was stopped on purpose at some time: requests fail meanwhile.
  stopped = false;
  private data = mkdtempSync(join(tmpdir(), "jobcenter-e2e-"));
  private process?: ChildProcess;
  private port = 0;

  constructor(private withAdmin: boolean) {}

  async start() {
    this.port ||= await freePort();
    const env: NodeJS.ProcessEnv = { ...process.env };
    if (this.withAdmin) {
      env.JOBCENTER_ADMIN_EMAIL = admin.email;
      env.JOBCENTER_ADMIN_PASSWORD = admin.password;
    }
    const bin = process.env.JOBCENTER_BIN ?? join(import.meta.dirname, "../../bin/jobcenter");
    this.process = spawn(
      bin,
      ["serve", "--listen", `127.0.0.1:${this.port}`, "--data", this.data, "--stop-grace", "1s"],
      {
        env,
        stdio: ["ignore", "pipe", "pipe"],
      },
    );
    this.url = `http://127.0.0.1:${this.port}`;
    let output = "";
    const ready = new Promise<void>((resolve, reject) => {
      const read = (data: Buffer) => {
        output += data;
        this.setupLink = /http:\/\/\S+\/setup#token=\S+/.exec(output)?.[0] ?? this.setupLink;
        if (output.includes("ready at")) resolve();
      };
      this.process?.stdout?.on("data", read);
      this.process?.stderr?.on("data", read);
      this.process?.on("error", reject);
      this.process?.on("exit", (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
    });
    await ready;
    return this;
  }

  async stop() {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode) return;
    this.stopped = true;
    this.process.removeAllListeners("exit");
    const ended = once(this.process, "exit");
    this.process.kill("SIGTERM");
    await ended;
  }

  // As a crash would: without a word to anybody.
  async kill() {
    if (!this.process) return;
    this.stopped = true;
    this.process.removeAllListeners("exit");
    const ended = once(this.process, "exit");
    this.process.kill("SIGKILL");
    await ended;
  }

  async remove() {
    await this.stop();
    rmSync(this.data, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, "127.0.0.1");
  await once(probe, "listening");
  const address = probe.address();
  const port = typeof address === "object" && address ? address.port : 0;
  probe.close();
  await once(probe, "close");
  return port;
}

interface Workers {
  server: Server;
}

// Every page must be quiet: no error in the browser's console, no request to
// another host. That a request was refused (4xx) is the browser's line about
// an answer that the page deals with.
export const test = base.extend<{ quiet: undefined }, Workers>({
  server: [
    // biome-ignore lint/correctness/noEmptyPattern: the form that Playwright asks for
    async ({}, use) => {
      const server = await new Server(true).start();
      await use(server);
      await server.remove();
    },
    { scope: "worker" },
  ],
  quiet: [
    async ({ context, server }, use) => {
      const noise: string[] = [];
      context.on("console", (message) => {
        if (message.type() !== "error" && message.type() !== "warning") return;
        if (/^Failed to load resource: the server responded with a status of 4\d\d/.test(message.text()))
          return;
        if (server.stopped && message.text().startsWith("Failed to load resource: net::ERR_")) return;
        noise.push(message.text());
      });
      context.on("weberror", (error) => noise.push(String(error.error())));
      context.on("request", (request) => {
        const url = new URL(request.url());
        if (!["data:", "blob:"].includes(url.protocol) && url.hostname !== "127.0.0.1")
          noise.push(`request to ${request.url()}`);
      });
      await use(undefined);
      expect(noise).toEqual([]);
    },
    { auto: true },
  ],
});

export { expect };
