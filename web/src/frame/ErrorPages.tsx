import { Button } from "antd";
import { useTranslation } from "react-i18next";
import { Link, useRouteError } from "react-router";
import { Empty } from "../ui/Notes";
import { Title } from "./title";

export function NotFound() {
  const { t } = useTranslation();
  return (
    <>
      <Title text={t("error.notFound")} />
      <Empty title={t("error.notFound")} hint={t("error.notFoundHint")}>
        <Link to="/jobs">{t("error.home")}</Link>
      </Empty>
    </>
  );
}

export function Broken() {
  const { t } = useTranslation();
  const error = useRouteError();
  return (
    <div role="alert">
      <Empty title={t("error.broken")} hint={t("error.brokenHint")}>
        <Button onClick={() => window.location.reload()}>{t("error.reload")}</Button>
        <p className="mono muted" lang="en">
          {error instanceof Error ? `${error.name}: ${error.message}` : String(error)}
        </p>
      </Empty>
    </div>
  );
}
