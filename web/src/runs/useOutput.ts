import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { outputStreamURL } from "../api/client";
import type { Run } from "../api/types";
import { type Block, fromBase64, Output, type Stream } from "./output";

const keepLines = 5000;

export interface Shown {
  blocks: Block[];
  lineCount: number;
  dropped: number;
  firstError?: number;
  status: "connecting" | "live" | "reconnecting" | "ended";
  all: boolean;
  showAll: () => void;
}

// Follows the output of a run, and with the same stream the run itself. What
// arrives is drawn once a frame.
export function useOutput(run: string, encoding: string, follow: boolean): Shown {
  const queries = useQueryClient();
  const output = useRef(new Output(encoding, keepLines));
  const drawn = useRef(encoding);
  const [, draw] = useState(0);
  const [status, setStatus] = useState<Shown["status"]>("connecting");
  const [all, setAll] = useState(false);

  useEffect(() => {
    const model = new Output(drawn.current, keepLines);
    output.current = model;
    let frame = 0;
    const drawSoon = () => {
      frame ||= requestAnimationFrame(() => {
        frame = 0;
        draw((n) => n + 1);
      });
    };
    let source: EventSource;
    let retry = 0;
    const setRun = (data: string): Run => {
      const now = JSON.parse(data) as Run;
      queries.setQueryData(["run", run], now);
      return now;
    };
    const connect = () => {
      source = new EventSource(`${outputStreamURL(run)}?offset=${model.end}`);
      source.onopen = () => setStatus("live");
      source.onerror = () => {
        setStatus("reconnecting");
        // A broken connection is taken up by the browser itself; a refusal is not.
        if (source.readyState === EventSource.CLOSED) retry = window.setTimeout(connect, 3000);
      };
      source.addEventListener("output", (event) => {
        const chunk = JSON.parse(event.data) as { offset: number; stream: Stream; data: string };
        model.add(chunk.stream, chunk.offset, fromBase64(chunk.data));
        drawSoon();
      });
      source.addEventListener("run", (event) => setRun(event.data));
      source.addEventListener("end", (event) => {
        source.close();
        model.finish(setRun(event.data).output_size);
        setStatus("ended");
        drawSoon();
      });
    };
    connect();
    return () => {
      source.close();
      window.clearTimeout(retry);
      cancelAnimationFrame(frame);
    };
  }, [run, queries]);

  useEffect(() => {
    output.current.hold = !follow;
  }, [follow]);
  useEffect(() => {
    const limit = all ? Number.POSITIVE_INFINITY : keepLines;
    if (drawn.current === encoding && !all) return;
    drawn.current = encoding;
    output.current.reread(encoding, limit);
    draw((n) => n + 1);
  }, [encoding, all]);

  const { blocks, lineCount, dropped, firstError } = output.current;
  return { blocks, lineCount, dropped, firstError, status, all, showAll: () => setAll(true) };
}
