import i18next from "i18next";
import { initReactI18next } from "react-i18next";
import { applyTheme, type Language, preferences, setPreferences } from "../preferences";
import type { en } from "./en";

declare module "i18next" {
  interface CustomTypeOptions {
    defaultNS: "text";
    resources: { text: typeof en };
  }
}

// Only the language that is read is loaded.
const texts = {
  en: () => import("./en").then((m) => m.en),
  zh: () => import("./zh").then((m) => m.zh),
};

export async function startLanguage() {
  await i18next.use(initReactI18next).init({
    lng: preferences().language,
    defaultNS: "text",
    ns: ["text"],
    resources: { [preferences().language]: { text: await texts[preferences().language]() } },
    interpolation: { escapeValue: false },
    returnNull: false,
  });
}

export async function changeLanguage(language: Language) {
  i18next.addResourceBundle(language, "text", await texts[language]());
  setPreferences({ language });
  applyTheme();
  await i18next.changeLanguage(language);
}
