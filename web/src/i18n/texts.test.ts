import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";
import { en } from "./en";
import { zh } from "./zh";

const source = join(import.meta.dirname, "..");

interface Table {
  [key: string]: string | Table;
}

function flat(table: Table, prefix = ""): Map<string, string> {
  const found = new Map<string, string>();
  for (const [key, value] of Object.entries(table)) {
    if (typeof value === "string") found.set(prefix + key, value);
    else for (const [k, v] of flat(value, `${prefix}${key}.`)) found.set(k, v);
  }
  return found;
}

const english = flat(en);
const chinese = flat(zh);

function files(): string[] {
  return readdirSync(source, { recursive: true, encoding: "utf8" })
    .filter((name) => /\.tsx?$/.test(name) && !name.endsWith(".test.ts") && !name.endsWith(".d.ts"))
    .filter((name) => !name.startsWith("i18n"));
}

const holes = (text: string) => [...text.matchAll(/\{\{(\w+)\}\}/g)].map((m) => m[1]).sort();

describe("texts", () => {
  it("exist in both languages", () => {
    // Chinese has no singular.
    const keys = [...english.keys()].filter((key) => !key.endsWith("_one"));
    expect([...chinese.keys()].sort()).toEqual(keys.sort());
    for (const [key, text] of [...english, ...chinese]) expect(text.trim(), key).not.toBe("");
  });

  it("have no values in Chinese that English does not fill in", () => {
    for (const [key, text] of chinese) {
      // What the server says in English stays out of Chinese; what the reader typed does not.
      const known = [...holes(english.get(key) ?? ""), "code", "value"];
      for (const hole of holes(text)) expect(known, key).toContain(hole);
    }
  });

  it("are in their own language", () => {
    // Words that are the same in both: names, units, what one types.
    const shared = /^[\s\d\p{P}\p{S}]*$/u;
    const names =
      /\b(JobCenter|Crontab|crontab|Shell|Ctrl|sh -c|std(out|err)|err|[KM]iB|setup|token|last|rd|fri|mon|sun|jan|dec|exit|ada|example|com|srv|app)\b/g;
    for (const [key, text] of chinese) {
      const own = text
        .replace(/\{\{\w+\}\}/g, "")
        .replace(/#token=…|3rd|9-17/g, "")
        .replace(names, "");
      if (shared.test(own)) continue;
      expect(own, key).toMatch(/\p{Script=Han}/u);
      expect(own, key).not.toMatch(/[A-Za-z]{3,}/);
    }
    for (const [key, text] of english) expect(text, key).not.toMatch(/\p{Script=Han}/u);
  });

  it("are used, and every key that is used exists", () => {
    const all = files()
      .map((name) => readFileSync(join(source, name), "utf8"))
      .join("\n");
    const prefixes = [...all.matchAll(/`([\w.]+\.)\$\{/g)].map((m) => m[1] as string);
    const unused = [...english.keys()].filter(
      (key) =>
        !all.includes(`"${key.replace(/_(one|other)$/, "")}"`) && !prefixes.some((p) => key.startsWith(p)),
    );
    expect(unused).toEqual([]);
  });

  it("are not written into the pages", () => {
    const found: string[] = [];
    const visible = new Set(["title", "label", "placeholder", "aria-label", "alt", "description", "hint"]);
    // Names that are the same in every language.
    const allowed = new Set(["JobCenter", "/", "#", "—", "…", "–", "·", "⋯", "⌘"]);
    const check = (name: string, text: string) => {
      const words = text.trim();
      if (words !== "" && !allowed.has(words) && /\p{L}/u.test(words)) found.push(`${name}: ${words}`);
    };
    for (const name of files()) {
      const text = readFileSync(join(source, name), "utf8");
      if (/\p{Script=Han}/u.test(text.replace(/zh: "中文"|"，"/g, "")))
        found.push(`${name}: Chinese outside the texts`);
      if (!name.endsWith(".tsx")) continue;
      const visit = (node: ts.Node) => {
        if (ts.isJsxText(node)) check(name, node.text);
        if (
          ts.isJsxAttribute(node) &&
          visible.has(node.name.getText()) &&
          node.initializer &&
          ts.isStringLiteral(node.initializer)
        ) {
          check(name, node.initializer.text);
        }
        if (
          ts.isJsxExpression(node) &&
          node.expression &&
          ts.isStringLiteral(node.expression) &&
          !ts.isJsxAttribute(node.parent)
        ) {
          check(name, node.expression.text);
        }
        ts.forEachChild(node, visit);
      };
      visit(ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
    }
    expect(found.filter((line) => !/: (JobCenter|\*\/5 9-17 \* \* mon-fri)$/.test(line))).toEqual([]);
  });
});
