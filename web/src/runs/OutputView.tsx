import { DownloadOutlined, VerticalAlignBottomOutlined } from "@ant-design/icons";
import { Button, Checkbox, Select } from "antd";
import { type CSSProperties, memo, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { outputURL } from "../api/client";
import type { Run } from "../api/types";
import { bytes } from "../ui/time";
import type { Piece, Style } from "./ansi";
import type { Block, Line } from "./output";
import { useOutput } from "./useOutput";

const encodings = [
  { value: "utf-8", label: "UTF-8" },
  { value: "gb18030", label: "GBK" },
  { value: "big5", label: "Big5" },
  { value: "shift_jis", label: "Shift_JIS" },
  { value: "iso-8859-1", label: "Latin-1" },
];

export function OutputView({ run }: { run: Run }) {
  const { t } = useTranslation();
  const [encoding, setEncoding] = useState("utf-8");
  const [wrap, setWrap] = useState(true);
  const [follow, setFollow] = useState(true);
  const output = useOutput(run.id, encoding, follow);
  const box = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const place = useRef({ top: 0, height: 0 });
  const live = run.state === "running" || run.state === "queued";
  const never = run.state === "missed" || run.state === "skipped";

  // At the end as long as one does not scroll up; heights become known late,
  // so that the content is watched rather than the data.
  useEffect(() => {
    if (!follow || !box.current || !content.current) return;
    const toEnd = () => box.current?.scrollTo({ top: box.current.scrollHeight });
    toEnd();
    const observer = new ResizeObserver(toEnd);
    observer.observe(content.current);
    return () => observer.disconnect();
  }, [follow]);
  // Only going up lets go: what arrives, or is taken away, moves the place too.
  const onScroll = () => {
    const el = box.current;
    if (!el) return;
    const { top, height } = place.current;
    place.current = { top: el.scrollTop, height: el.scrollHeight };
    if (el.scrollTop + el.clientHeight >= el.scrollHeight - 12) setFollow(true);
    else if (el.scrollTop < top && el.scrollHeight >= height) setFollow(false);
  };
  const goTo = (line: number) => {
    setFollow(false);
    requestAnimationFrame(() => document.getElementById(`line-${line}`)?.scrollIntoView({ block: "center" }));
  };
  const nothing = never
    ? t("run.neverRan")
    : output.status === "connecting"
      ? t("run.connecting")
      : live
        ? t("run.noOutputYet")
        : t("run.noOutput");

  return (
    <section className="output" aria-label={t("run.output")}>
      <div className="output-bar">
        <h2>{t("run.output")}</h2>
        <span className="muted num output-status" role="status">
          {output.status === "reconnecting"
            ? t("run.reconnecting")
            : output.lineCount > 0
              ? t("run.lines", { count: output.lineCount })
              : ""}
        </span>
        {output.firstError !== undefined && output.firstError > output.dropped && (
          <Button size="small" onClick={() => goTo(output.firstError ?? 1)}>
            {t("run.firstError")}
          </Button>
        )}
        <span className="output-tools">
          <Checkbox checked={wrap} onChange={(e) => setWrap(e.target.checked)}>
            {t("run.wrap")}
          </Checkbox>
          <Select
            size="small"
            aria-label={t("run.encoding")}
            value={encoding}
            onChange={setEncoding}
            options={encodings}
            popupMatchSelectWidth={false}
            style={{ width: 110 }}
          />
          <Button
            size="small"
            icon={<DownloadOutlined aria-hidden />}
            href={outputURL(run.id)}
            download={`${run.job_id}-${run.id}.txt`}
            disabled={false}
          >
            {t("run.download")}
          </Button>
        </span>
      </div>
      <div className="output-frame">
        <div
          className={wrap ? "output-box" : "output-box output-nowrap"}
          ref={box}
          onScroll={onScroll}
          // biome-ignore lint/a11y/noNoninteractiveTabindex: a region that scrolls must take the keyboard
          tabIndex={0}
          role="log"
          aria-live="off"
          aria-label={t("run.output")}
        >
          <div ref={content}>
            {output.dropped > 0 && (
              <p className="output-older">
                {t("run.older", { n: output.dropped })}{" "}
                <Button size="small" type="link" onClick={output.showAll}>
                  {t("run.showAll")}
                </Button>
              </p>
            )}
            {output.blocks.map((block) => (
              <BlockView key={block.first} block={block} />
            ))}
            {output.lineCount === 0 && <p className="output-nothing">{nothing}</p>}
          </div>
        </div>
        {!follow && (
          <Button
            className="output-end"
            size="small"
            type="primary"
            icon={<VerticalAlignBottomOutlined aria-hidden />}
            onClick={() => setFollow(true)}
          >
            {t("run.jumpToEnd")}
          </Button>
        )}
      </div>
    </section>
  );
}

const BlockView = memo(function BlockView({ block }: { block: Block }) {
  return (
    <div className="output-block">
      {block.lines.map((line) => (
        <LineView key={line.number} line={line} />
      ))}
    </div>
  );
});

function LineView({ line }: { line: Line }) {
  const { t } = useTranslation();
  if (line.stream === "gap") {
    return (
      <div className="line line-gap" id={`line-${line.number}`}>
        <span className="line-mark" />
        <span>⋯ {t("run.gap", { size: bytes(line.missing, t) })} ⋯</span>
      </div>
    );
  }
  return (
    <div className={line.stream === "stderr" ? "line line-stderr" : "line"} id={`line-${line.number}`}>
      <span className="line-mark">{line.stream === "stderr" && t("run.errLabel")}</span>
      <span className="line-text">{line.pieces.map(pieceView)}</span>
    </div>
  );
}

function pieceView(piece: Piece, i: number) {
  if (!piece.style) return piece.text;
  const { className, style } = look(piece.style);
  return (
    <span key={i} className={className} style={style}>
      {piece.text}
    </span>
  );
}

// Named colours come from the theme; only a "#rrggbb" made of numbers goes into a style.
function look(s: Style): { className: string; style?: CSSProperties } {
  const [fg, bg] = s.inverse ? [s.bg ?? "inverse", s.fg ?? "inverse"] : [s.fg, s.bg];
  const classes: string[] = [];
  const style: CSSProperties = {};
  if (fg?.startsWith("#")) style.color = fg;
  else if (fg) classes.push(`fg-${fg}`);
  if (bg?.startsWith("#")) style.backgroundColor = bg;
  else if (bg) classes.push(`bg-${bg}`);
  for (const name of ["bold", "dim", "italic", "underline"] as const)
    if (s[name]) classes.push(`sgr-${name}`);
  return { className: classes.join(" "), style };
}
