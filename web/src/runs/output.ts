import { applySGR, type Piece, type Style, tokens } from "./ansi";

export type Stream = "stdout" | "stderr";

export interface Line {
  number: number;
  stream: Stream | "gap";
  pieces: Piece[];
  // For a gap: how many bytes are not there.
  missing: number;
}

// Lines come in blocks; a block that was not written to since is the same
// object, so that a page draws only what changed.
export interface Block {
  first: number;
  lines: Line[];
}

interface Chunk {
  stream: Stream;
  bytes: Uint8Array;
  gap: number; // bytes missing before it
}

interface Writer {
  decoder: TextDecoder;
  style: Style;
  rest: string;
  line?: Line;
  length: number;
  stale: boolean; // a carriage return: the next text begins the line anew
}

const blockSize = 200;
const longestLine = 8000;

// The output of a run as it arrives: bytes of two streams become lines.
// It keeps the bytes, so that they can be read again in another encoding.
export class Output {
  blocks: Block[] = [];
  lineCount = 0;
  dropped = 0; // lines at the beginning that are not kept for showing
  firstError?: number;
  end = 0; // offset of the next byte
  // While somebody reads further up, no line is taken away under their eyes.
  hold = false;
  private chunks: Chunk[] = [];
  private writers: Record<Stream, Writer>;

  constructor(
    private encoding: string,
    private keepLines: number,
  ) {
    this.writers = this.freshWriters();
  }

  private freshWriters(): Record<Stream, Writer> {
    const writer = (): Writer => ({
      decoder: new TextDecoder(this.encoding),
      style: {},
      rest: "",
      length: 0,
      stale: false,
    });
    return { stdout: writer(), stderr: writer() };
  }

  // Takes a chunk that starts at the offset. What was seen already, as after
  // a connection was taken up again, is left out.
  add(stream: Stream, offset: number, bytes: Uint8Array) {
    if (offset + bytes.length <= this.end) return;
    const fresh = offset < this.end ? bytes.subarray(this.end - offset) : bytes;
    const chunk = { stream, bytes: fresh, gap: Math.max(0, offset - this.end) };
    this.end = offset + bytes.length;
    this.chunks.push(chunk);
    this.write(chunk);
  }

  // Reads all again, in another encoding or with more lines kept.
  reread(encoding: string, keepLines: number) {
    this.encoding = encoding;
    this.keepLines = keepLines;
    this.blocks = [];
    this.lineCount = this.dropped = 0;
    this.firstError = undefined;
    this.writers = this.freshWriters();
    for (const chunk of this.chunks) this.write(chunk);
  }

  // Says that more bytes than came were written, and not kept.
  finish(size: number) {
    if (size > this.end) {
      this.gap(size - this.end);
      this.end = size;
    }
  }

  private write(chunk: Chunk) {
    if (chunk.gap > 0) this.gap(chunk.gap);
    const writer = this.writers[chunk.stream];
    const { tokens: found, rest } = tokens(
      writer.rest + writer.decoder.decode(chunk.bytes, { stream: true }),
    );
    writer.rest = rest;
    for (const token of found) {
      if (token.kind === "text") this.text(chunk.stream, writer, token.text);
      else if (token.kind === "sgr") writer.style = applySGR(writer.style, token.parameters);
      else if (token.kind === "return") writer.stale = true;
      else {
        if (!writer.line) this.open(chunk.stream, writer);
        writer.line = undefined;
        writer.stale = false;
      }
    }
  }

  private gap(missing: number) {
    for (const writer of Object.values(this.writers)) {
      writer.line = undefined;
      writer.rest = "";
    }
    this.push({ number: ++this.lineCount, stream: "gap", pieces: [], missing });
  }

  private open(stream: Stream, writer: Writer): Line {
    const line: Line = { number: ++this.lineCount, stream, pieces: [], missing: 0 };
    if (stream === "stderr") this.firstError ??= line.number;
    writer.line = line;
    writer.length = 0;
    writer.stale = false;
    this.push(line);
    return line;
  }

  private text(stream: Stream, writer: Writer, text: string) {
    let line = writer.line ?? this.open(stream, writer);
    this.touch(line);
    if (writer.stale) {
      line.pieces = [];
      writer.length = 0;
      writer.stale = false;
    }
    const style = Object.keys(writer.style).length > 0 ? writer.style : undefined;
    for (let rest = text; rest !== ""; ) {
      if (writer.length >= longestLine) line = this.open(stream, writer);
      const part = rest.slice(0, longestLine - writer.length);
      const last = line.pieces.at(-1);
      if (last && last.style === style)
        line.pieces = [...line.pieces.slice(0, -1), { text: last.text + part, style }];
      else line.pieces = [...line.pieces, { text: part, style }];
      writer.length += part.length;
      rest = rest.slice(part.length);
    }
  }

  private push(line: Line) {
    const last = this.blocks.at(-1);
    if (last && last.lines.length < blockSize) {
      last.lines.push(line);
      this.touch(line);
      return;
    }
    this.blocks.push({ first: line.number, lines: [line] });
    while (!this.hold && this.lineCount - this.dropped > this.keepLines + blockSize) {
      const gone = this.blocks.shift();
      this.dropped += gone?.lines.length ?? 0;
    }
  }

  // Gives the line's block a new identity.
  private touch(line: Line) {
    for (let i = this.blocks.length - 1; i >= 0; i--) {
      const block = this.blocks[i] as Block;
      if (block.first > line.number) continue;
      const at = line.number - block.first;
      if (at < block.lines.length) {
        const lines = block.lines;
        this.blocks[i] = { first: block.first, lines };
        lines[at] = line;
      }
      return;
    }
  }
}

export function fromBase64(text: string): Uint8Array {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}
