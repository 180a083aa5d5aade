import { type ReactNode, useEffect, useState } from "react";
import { createPortal } from "react-dom";

// Puts the page's title, and what belongs beside it, into the header.
export function Title({ text, children }: { text: string; children?: ReactNode }) {
  const [place, setPlace] = useState<HTMLElement | null>(null);
  useEffect(() => setPlace(document.getElementById("page-title")), []);
  useEffect(() => {
    document.title = `${text} · JobCenter`;
  }, [text]);
  if (!place) return null;
  return createPortal(
    <>
      <h1>{text}</h1>
      {children}
    </>,
    place,
  );
}
