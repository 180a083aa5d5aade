import { useQuery } from "@tanstack/react-query";
import { api } from "../api/client";

export function useSession() {
  return useQuery({ queryKey: ["session"], queryFn: () => api.session(), staleTime: 60_000 });
}

// Whether a form holds what is not saved yet: who is signed out then stays on its page.
let unsaved = false;

export function noteUnsaved(to: boolean) {
  unsaved = to;
}

export function hasUnsaved(): boolean {
  return unsaved;
}

// What the reader's role allows: operators act on jobs, administrators also change them.
export function useMay(): { operate: boolean; change: boolean } {
  const role = useSession().data?.user.role;
  return { operate: role === "operator" || role === "admin", change: role === "admin" };
}
