import { DesktopOutlined, MoonOutlined, SunOutlined } from "@ant-design/icons";
import { Button, Dropdown } from "antd";
import { useTranslation } from "react-i18next";
import { changeLanguage } from "../i18n";
import { setPreferences, type ThemeChoice, usePreferences } from "../preferences";

const themeIcons = {
  light: <SunOutlined aria-hidden />,
  dark: <MoonOutlined aria-hidden />,
  system: <DesktopOutlined aria-hidden />,
};

export function ThemeSwitch() {
  const { t } = useTranslation();
  const { theme } = usePreferences();
  return (
    <Dropdown
      trigger={["click"]}
      menu={{
        selectedKeys: [theme],
        onClick: ({ key }) => setPreferences({ theme: key as ThemeChoice }),
        items: (["light", "dark", "system"] as const).map((key) => ({
          key,
          icon: themeIcons[key],
          label: t(`frame.${key}`),
        })),
      }}
    >
      <Button
        type="text"
        icon={themeIcons[theme]}
        aria-label={`${t("frame.theme")}: ${t(`frame.${theme}`)}`}
        title={t("frame.theme")}
      />
    </Dropdown>
  );
}

// Each language is named in itself, so that who cannot read the page finds it.
export function LanguageSwitch() {
  const { t } = useTranslation();
  const { language } = usePreferences();
  const other = language === "zh" ? "en" : "zh";
  return (
    <Button
      type="text"
      onClick={() => void changeLanguage(other)}
      title={t("frame.language")}
      data-testid="language"
    >
      <span lang={other === "zh" ? "zh-CN" : "en"}>{languageNames[other]}</span>
    </Button>
  );
}

const languageNames = { en: "English", zh: "中文" };
