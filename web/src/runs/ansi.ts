// How a piece of text looks, by the escape sequences before it (SGR).
export interface Style {
  fg?: string; // a class name's end, such as "red", or "#rrggbb"
  bg?: string;
  bold?: boolean;
  dim?: boolean;
  italic?: boolean;
  underline?: boolean;
  inverse?: boolean;
}

export interface Piece {
  text: string;
  style?: Style;
}

const names = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"] as const;

// What one "ESC [ … m" changes.
export function applySGR(style: Style, parameters: string): Style {
  let next = { ...style };
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map(Number);
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i] ?? 0;
    if (code === 0) next = {};
    else if (code === 1) next.bold = true;
    else if (code === 2) next.dim = true;
    else if (code === 3) next.italic = true;
    else if (code === 4) next.underline = true;
    else if (code === 7) next.inverse = true;
    else if (code === 22) next.bold = next.dim = undefined;
    else if (code === 23) next.italic = undefined;
    else if (code === 24) next.underline = undefined;
    else if (code === 27) next.inverse = undefined;
    else if (code >= 30 && code <= 37) next.fg = names[code - 30];
    else if (code >= 90 && code <= 97) next.fg = `bright-${names[code - 90]}`;
    else if (code === 39) next.fg = undefined;
    else if (code >= 40 && code <= 47) next.bg = names[code - 40];
    else if (code >= 100 && code <= 107) next.bg = `bright-${names[code - 100]}`;
    else if (code === 49) next.bg = undefined;
    else if (code === 38 || code === 48) {
      const color =
        codes[i + 1] === 5
          ? indexed(codes[i + 2] ?? 0)
          : codes[i + 1] === 2
            ? rgb(codes.slice(i + 2, i + 5))
            : undefined;
      i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
      if (code === 38) next.fg = color;
      else next.bg = color;
    }
  }
  return next;
}

function indexed(n: number): string | undefined {
  if (!(n >= 0 && n <= 255)) return undefined;
  if (n < 8) return names[n];
  if (n < 16) return `bright-${names[n - 8]}`;
  if (n >= 232) return rgb([8, 8, 8].map((c) => c + (n - 232) * 10));
  const level = (v: number) => (v === 0 ? 0 : 55 + v * 40);
  return rgb([level(Math.floor((n - 16) / 36)), level(Math.floor(((n - 16) % 36) / 6)), level((n - 16) % 6)]);
}

function rgb(parts: number[]): string {
  return `#${parts
    .map((c) =>
      Math.min(255, Math.max(0, c || 0))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

// One escape sequence at the start of the text: a colour, another one, which
// is dropped, or one whose end has not come yet.
const sequence =
  /^\x1b(?:\[([0-9;:]*)m|\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][A-Za-z0-9]|[=>78cDEHMNOZ])/;
const unfinished = /^\x1b(?:$|\[[0-?]*[ -/]*$|\][^\x07\x1b]{0,512}\x1b?$|[()]$)/;

export type Token =
  | { kind: "text"; text: string }
  | { kind: "sgr"; parameters: string }
  | { kind: "newline" }
  | { kind: "return" };

// Splits text into what a screen would do with it. rest is the beginning of a
// sequence that the next text may complete.
export function tokens(text: string): { tokens: Token[]; rest: string } {
  const found: Token[] = [];
  let at = 0;
  let plain = 0;
  const flush = (to: number) => {
    if (to > plain) found.push({ kind: "text", text: visible(text.slice(plain, to)) });
  };
  while (at < text.length) {
    const code = text.charCodeAt(at);
    if (code === 0x0a) {
      flush(at);
      found.push({ kind: "newline" });
      plain = ++at;
    } else if (code === 0x0d) {
      if (at + 1 === text.length) {
        flush(at);
        return { tokens: found, rest: "\r" }; // "\n" may follow
      }
      flush(at);
      if (text.charCodeAt(at + 1) !== 0x0a) found.push({ kind: "return" });
      plain = ++at;
    } else if (code === 0x1b) {
      const match = sequence.exec(text.slice(at, at + 1024));
      if (match) {
        flush(at);
        if (match[1] !== undefined) found.push({ kind: "sgr", parameters: match[1] });
        at += match[0].length;
        plain = at;
      } else if (unfinished.test(text.slice(at))) {
        flush(at);
        return { tokens: found, rest: text.slice(at) };
      } else {
        at++;
      }
    } else {
      at++;
    }
  }
  flush(text.length);
  return { tokens: found, rest: "" };
}

// Control characters as the pictures that Unicode has for them.
function visible(text: string): string {
  return text.replace(/[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]/g, (c) =>
    String.fromCharCode(c === "\x7f" ? 0x2421 : 0x2400 + c.charCodeAt(0)),
  );
}
