import { describe, expect, it } from "vitest";
import { Output } from "./output";

const utf8 = (text: string) => new TextEncoder().encode(text);

// Adds chunks one after the other and tells each line as "stream: text".
function lines(output: Output): string[] {
  return output.blocks
    .flatMap((block) => block.lines)
    .map((line) =>
      line.stream === "gap"
        ? `gap: ${line.missing}`
        : `${line.stream}: ${line.pieces.map((p) => p.text).join("")}`,
    );
}

describe("output", () => {
  it("splits lines and keeps the two streams apart, even in the middle of a line", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("one\ntw"));
    output.add("stderr", 6, utf8("bad\n"));
    output.add("stdout", 10, utf8("o\r\n\nend"));
    expect(lines(output)).toEqual(["stdout: one", "stdout: two", "stderr: bad", "stdout: ", "stdout: end"]);
    expect(output.firstError).toBe(3);
  });

  it("joins a character whose bytes come in two chunks, and reads again in another encoding", () => {
    const output = new Output("utf-8", 100);
    const bytes = utf8("中");
    output.add("stdout", 0, bytes.subarray(0, 1));
    output.add("stdout", 1, bytes.subarray(1));
    expect(lines(output)).toEqual(["stdout: 中"]);

    const gbk = new Output("utf-8", 100);
    gbk.add("stdout", 0, Uint8Array.of(0xd6, 0xd0, 0xce, 0xc4));
    expect(lines(gbk)[0]).toContain("\ufffd");
    gbk.reread("gb18030", 100);
    expect(lines(gbk)).toEqual(["stdout: 中文"]);
  });

  it("names gaps, and leaves out what it has already", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("abc\n"));
    output.add("stdout", 0, utf8("abc\n"));
    output.add("stdout", 2, utf8("c\nd\n"));
    output.add("stdout", 1000, utf8("e\n"));
    output.finish(1002);
    expect(lines(output)).toEqual(["stdout: abc", "stdout: d", "gap: 994", "stdout: e"]);
    output.finish(1012);
    expect(lines(output).at(-1)).toBe("gap: 10");
  });

  it("takes colours, drops other sequences, and shows control characters", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("a\x1b[31mred\x1b[0m\x1b[2Kb\x00\x1b]0;title\x07\x1b[1"));
    output.add("stdout", 100, utf8("")); // nothing
    expect(output.blocks[0]?.lines[0]?.pieces).toEqual([
      { text: "a", style: undefined },
      { text: "red", style: { fg: "red" } },
      { text: "b␀", style: undefined },
    ]);
  });

  it("completes a sequence with the next chunk", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("\x1b[3"));
    output.add("stdout", 3, utf8("8;2;255;0;1mx"));
    expect(output.blocks[0]?.lines[0]?.pieces).toEqual([{ text: "x", style: { fg: "#ff0001" } }]);
  });

  it("keeps text that looks like HTML as text", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("<img src=x onerror=alert(1)>"));
    expect(lines(output)).toEqual(["stdout: <img src=x onerror=alert(1)>"]);
  });

  it("shows of a line that is written over the last state", () => {
    const output = new Output("utf-8", 100);
    output.add("stdout", 0, utf8("10%\r"));
    output.add("stdout", 4, utf8("20%\r30%\ndone"));
    expect(lines(output)).toEqual(["stdout: 30%", "stdout: done"]);
  });

  it("keeps only the last lines, and all when asked", () => {
    const output = new Output("utf-8", 1000);
    const text = Array.from({ length: 5000 }, (_, i) => `${i}\n`).join("");
    output.add("stdout", 0, utf8(text));
    expect(output.lineCount).toBe(5000);
    const shown = lines(output);
    expect(shown.length).toBe(5000 - output.dropped);
    expect(shown.length).toBeGreaterThanOrEqual(1000);
    expect(shown.length).toBeLessThanOrEqual(1400);
    expect(shown.at(-1)).toBe("stdout: 4999");
    output.reread("utf-8", Number.POSITIVE_INFINITY);
    expect(lines(output).length).toBe(5000);
  });

  it("takes no line away while somebody reads further up", () => {
    const output = new Output("utf-8", 1000);
    output.hold = true;
    output.add("stdout", 0, utf8("x\n".repeat(3000)));
    expect(output.dropped).toBe(0);
    output.hold = false;
    output.add("stdout", 6000, utf8("y\n".repeat(200)));
    expect(output.dropped).toBeGreaterThanOrEqual(1800);
  });

  it("gives only changed blocks a new identity", () => {
    const output = new Output("utf-8", 10_000);
    output.add("stdout", 0, utf8("x\n".repeat(450)));
    const before = [...output.blocks];
    output.add("stdout", 900, utf8("y\n"));
    expect(output.blocks[0]).toBe(before[0]);
    expect(output.blocks[2]).not.toBe(before[2]);
  });
});
