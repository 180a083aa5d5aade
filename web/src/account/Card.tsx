import type { ReactNode } from "react";
import { LanguageSwitch, ThemeSwitch } from "../frame/Switches";

// The frame of the pages that one sees before being signed in.
export function Card({ title, children }: { title: string; children: ReactNode }) {
  return (
    <div className="account">
      <div className="account-switches">
        <ThemeSwitch />
        <LanguageSwitch />
      </div>
      <main className="account-card">
        <p className="account-brand">
          <img src="/icon.svg" alt="" width="28" height="28" /> JobCenter
        </p>
        <h1>{title}</h1>
        {children}
      </main>
    </div>
  );
}
