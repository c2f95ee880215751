import { createFaultList, type FaultHandle } from "../fault-list.ts";
import { ApiError } from "./api-error.ts";
import type { Operation } from "./request-record.ts";

/** What somebody may not do at the workspace API. */
export interface Prohibition {
  /** Which calls are refused (403). */
  on: Operation | readonly Operation[];
  /** User name of a person or client id of a service principal; default: everybody. */
  subject?: string;
  /** How many calls; default: all. */
  times?: number;
}

export interface Permissions {
  forbid(prohibition: Prohibition): FaultHandle;
  /** @throws ApiError PERMISSION_DENIED */
  require(subject: string, operation: Operation): void;
  clear(): void;
}

export function createPermissions(): Permissions {
  const prohibitions = createFaultList<Prohibition>();
  return {
    forbid: prohibitions.add,
    require(subject, operation) {
      const met = prohibitions.take(
        (prohibition) => [prohibition.on].flat().includes(operation) && (prohibition.subject ?? subject) === subject,
      );
      if (met) throw new ApiError(403, "PERMISSION_DENIED", `${subject} does not have permission for this`);
    },
    clear: prohibitions.clear,
  };
}
