import { createBrowserRouter, Navigate, Outlet } from "react-router";
import { Broken, NotFound } from "./frame/ErrorPages";
import { Toasts } from "./ui/Toasts";

function Root() {
  return (
    <>
      <Outlet />
      <Toasts />
    </>
  );
}

export const router = createBrowserRouter([
  {
    element: <Root />,
    errorElement: <Broken />,
    hydrateFallbackElement: <div className="boot" />,
    children: [
      { path: "/login", lazy: () => import("./account/Login") },
      { path: "/setup", lazy: () => import("./account/Setup") },
      {
        path: "/",
        lazy: () => import("./frame/Frame"),
        children: [
          {
            errorElement: <Broken />,
            children: [
              { index: true, element: <Navigate to="/jobs" replace /> },
              { path: "jobs", lazy: () => import("./jobs/Jobs") },
              { path: "jobs/new", lazy: () => import("./jobs/Editor") },
              { path: "jobs/:id", lazy: () => import("./jobs/JobPage") },
              { path: "jobs/:id/edit", lazy: () => import("./jobs/Editor") },
              { path: "runs", lazy: () => import("./runs/Runs") },
              { path: "runs/:id", lazy: () => import("./runs/RunPage") },
              { path: "*", element: <NotFound /> },
            ],
          },
        ],
      },
    ],
  },
]);
