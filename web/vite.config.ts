import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { brotliCompressSync, constants, gzipSync } from "node:zlib";
import react from "@vitejs/plugin-react";
import { defineConfig, type Plugin } from "vite";

// What a build of the console starts from: the folder may hold an older one,
// and the one file of it that is in the repository has to stay.
const kept = "placeholder.html";

function tidyAndCompress(): Plugin {
  let out = "";
  return {
    name: "jobcenter-dist",
    apply: "build",
    configResolved(config) {
      out = config.build.outDir;
    },
    buildStart() {
      for (const name of readdirSync(out)) {
        if (name !== kept) rmSync(join(out, name), { recursive: true });
      }
    },
    closeBundle() {
      const assets = join(out, "assets");
      for (const name of readdirSync(assets)) {
        if (!/\.(js|css|svg)$/.test(name)) continue;
        const path = join(assets, name);
        const bytes = readFileSync(path);
        if (bytes.length < 1024) continue;
        writeFileSync(`${path}.gz`, gzipSync(bytes, { level: 9 }));
        writeFileSync(
          `${path}.br`,
          brotliCompressSync(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: 10 } }),
        );
      }
    },
  };
}

export default defineConfig({
  plugins: [react(), tidyAndCompress()],
  build: {
    emptyOutDir: false,
    target: "es2022",
    assetsInlineLimit: 0,
    // The content security policy allows no inline script, and every browser
    // that runs this knows modulepreload.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
    rolldownOptions: {
      output: {
        codeSplitting: {
          // Changes less often than the rest. Groups of what is merely shared
          // would have to import each other in a circle.
          groups: [
            {
              name: "react",
              test: /node_modules\/(react|react-dom|scheduler|react-router|i18next|react-i18next|@tanstack)\//,
            },
          ],
        },
      },
    },
  },
  server: {
    host: "127.0.0.1",
    proxy: { "/api": process.env.JOBCENTER_URL ?? "http://127.0.0.1:8080" },
  },
});
