import { QueryClientProvider } from "@tanstack/react-query";
import { createRoot } from "react-dom/client";
import { RouterProvider } from "react-router/dom";
import "./style/index.css";
import { startLanguage } from "./i18n";
import { applyTheme } from "./preferences";
import { queries } from "./queries";
import { router } from "./router";
import { Look } from "./ui/Look";

applyTheme();
await startLanguage();
createRoot(document.getElementById("root") as HTMLElement).render(
  <QueryClientProvider client={queries}>
    <Look>
      <RouterProvider router={router} />
    </Look>
  </QueryClientProvider>,
);
