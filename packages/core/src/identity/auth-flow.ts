import type { WorkspaceAuth, WorkspaceAuthSurroundings } from "../workspace-auth.ts";
import type { Selection } from "./selection.ts";

/** What an identity does once it is used. */
export interface AuthFlow extends Pick<WorkspaceAuth, "getToken" | "workspaceHost"> {
  /** How it came to be the identity that it is, where it had a choice. */
  select?(surroundings: WorkspaceAuthSurroundings): Promise<Selection>;
}
