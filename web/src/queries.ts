import { MutationCache, QueryCache, QueryClient } from "@tanstack/react-query";
import { asProblem } from "./api/problem";

// Lists and pages are read again this often while they are visible.
export const refreshEvery = 2500;

// Signed out meanwhile: the frame asks for the session and leads to sign-in.
function onError(error: unknown) {
  if (asProblem(error).status === 401) void queries.invalidateQueries({ queryKey: ["session"] });
}

export const queries: QueryClient = new QueryClient({
  queryCache: new QueryCache({
    onError: (error, query) => query.queryKey[0] !== "session" && onError(error),
  }),
  mutationCache: new MutationCache({ onError }),
  defaultOptions: {
    queries: {
      // An answer that says no will say it again.
      retry: (times, error) => {
        const status = asProblem(error).status;
        return times < 2 && (status === 0 || status >= 500);
      },
      retryDelay: 800,
      staleTime: 1000,
      // Being offline shows as requests that fail, whatever the browser believes.
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});
