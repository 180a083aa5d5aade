import { useSyncExternalStore } from "react";

export type Language = "en" | "zh";
export type ThemeChoice = "light" | "dark" | "system";

// What a reader chose, kept in this browser. The language starts as the
// browser's own, the theme as the system's.
export interface Preferences {
  language: Language;
  theme: ThemeChoice;
  railFolded: boolean;
}

const storageKey = "jobcenter.preferences";
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

function load(): Preferences {
  const first: Preferences = {
    language: navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en",
    theme: "system",
    railFolded: false,
  };
  try {
    return { ...first, ...JSON.parse(localStorage.getItem(storageKey) ?? "{}") };
  } catch {
    return first;
  }
}

let current = load();

export function preferences(): Preferences {
  return current;
}

export function setPreferences(change: Partial<Preferences>) {
  current = { ...current, ...change };
  try {
    localStorage.setItem(storageKey, JSON.stringify(current));
  } catch {
    // A browser that keeps nothing still shows the choice until it is closed.
  }
  applyTheme();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function usePreferences(): Preferences {
  return useSyncExternalStore(subscribe, preferences);
}

function resolved(): "light" | "dark" {
  if (current.theme !== "system") return current.theme;
  return dark.matches ? "dark" : "light";
}

export function useTheme(): "light" | "dark" {
  return useSyncExternalStore(subscribe, resolved);
}

export function applyTheme() {
  document.documentElement.dataset.theme = resolved();
  document.documentElement.lang = current.language === "zh" ? "zh-CN" : "en";
}

dark.addEventListener("change", () => {
  applyTheme();
  for (const listener of listeners) listener();
});
