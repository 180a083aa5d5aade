import { SearchOutlined } from "@ant-design/icons";
import { Input, type InputRef } from "antd";
import { useEffect, useRef, useState } from "react";
import { useLocation } from "react-router";

// Tells what is searched once typing rests, never in the middle of composing
// a Chinese word.
export function SearchInput({
  value,
  onChange,
  label,
}: {
  value: string;
  onChange: (value: string) => void;
  label: string;
}) {
  const [text, setText] = useState(value);
  const composing = useRef(false);
  // Another filter may change while typing rests: the search must join it, not undo it.
  const latest = useRef(onChange);
  useEffect(() => {
    latest.current = onChange;
  });
  const timer = useRef(0);
  const field = useRef<InputRef>(null);
  const wanted = (useLocation().state as { focusSearch?: boolean } | null)?.focusSearch;

  // What was told comes back as the value: it must not undo what was typed since.
  const told = useRef(value);
  useEffect(() => {
    if (value !== told.current) setText(value);
    told.current = value;
  }, [value]);
  useEffect(() => {
    if (wanted) field.current?.focus();
  }, [wanted]);
  useEffect(() => () => window.clearTimeout(timer.current), []);

  const tell = (to: string, after: number) => {
    window.clearTimeout(timer.current);
    timer.current = window.setTimeout(() => {
      const search = to.trim();
      if (search === told.current) return;
      told.current = search;
      latest.current(search);
    }, after);
  };
  return (
    <Input
      ref={field}
      className="filter-search"
      prefix={<SearchOutlined aria-hidden />}
      allowClear
      data-search
      aria-label={label}
      placeholder={label}
      value={text}
      onChange={(e) => {
        setText(e.target.value);
        if (!composing.current) tell(e.target.value, 250);
      }}
      onCompositionStart={() => {
        composing.current = true;
        window.clearTimeout(timer.current);
      }}
      onCompositionEnd={(e) => {
        composing.current = false;
        tell(e.currentTarget.value, 250);
      }}
      onPressEnter={() => !composing.current && tell(text, 0)}
    />
  );
}
