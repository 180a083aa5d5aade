import { ConfigProvider, theme } from "antd";
import type { Locale } from "antd/es/locale";
import enUS from "antd/es/locale/en_US";
import { type ReactNode, useEffect, useState } from "react";
import { usePreferences, useTheme } from "../preferences";

const reducedMotion = window.matchMedia("(prefers-reduced-motion: reduce)").matches;

// Ant Design in the console's own look; the same colours as style/base.css.
export function Look({ children }: { children: ReactNode }) {
  const { language } = usePreferences();
  const dark = useTheme() === "dark";
  // Never without one: the provider would mount all anew when it comes, and what
  // was typed until then would be lost. This one is in the bundle anyway.
  const [locale, setLocale] = useState<Locale>(enUS);
  useEffect(() => {
    let current = true;
    const load = language === "zh" ? import("antd/es/locale/zh_CN") : import("antd/es/locale/en_GB");
    load.then((m) => current && setLocale(m.default));
    return () => {
      current = false;
    };
  }, [language]);
  return (
    <ConfigProvider
      locale={locale}
      wave={{ disabled: true }}
      button={{ autoInsertSpace: false }}
      theme={{
        algorithm: dark ? theme.darkAlgorithm : theme.defaultAlgorithm,
        token: {
          colorPrimary: dark ? "#4c6ef5" : "#2f54eb",
          colorPrimaryHover: dark ? "#4a66e0" : "#2343c4",
          colorPrimaryActive: dark ? "#3a55c4" : "#1b369f",
          colorError: dark ? "#ff8a80" : "#c4211c",
          colorErrorHover: dark ? "#ffa39b" : "#a51a16",
          colorErrorBorderHover: dark ? "#ffa39b" : "#a51a16",
          colorLink: dark ? "#91a7ff" : "#2f54eb",
          colorTextPlaceholder: dark ? "#8b8f99" : "#6b7080",
          colorTextDescription: dark ? "#a3a7b0" : "#5c6170",
          colorBgBase: dark ? "#141517" : "#ffffff",
          borderRadius: 6,
          fontSize: 14,
          fontFamily: "var(--sans)",
          fontFamilyCode: "var(--mono)",
          motion: !reducedMotion,
        },
        components: {
          Button: {
            primaryShadow: "none",
            defaultShadow: "none",
            dangerShadow: "none",
            defaultHoverColor: dark ? "#91a7ff" : "#2f54eb",
            defaultHoverBorderColor: dark ? "#91a7ff" : "#2f54eb",
            defaultActiveColor: dark ? "#91a7ff" : "#2f54eb",
          },
        },
      }}
    >
      {children}
    </ConfigProvider>
  );
}
