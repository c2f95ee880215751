import type postgres from "postgres";
import type { LoginStream } from "./login-stream.ts";

/** What postgres.js keeps in a query: what executes it, and, once that is done, the connection that it was given to. */
interface QueryInside {
  handler(query: QueryInside): void;
  reject(error: Error): void;
  readonly state: { readonly pid: number } | null;
}
type AnyFunction = (...args: unknown[]) => unknown;

/**
 * A reservation as it is, but for a session that is lost while it is reserved: its statements fail then. postgres.js would
 * write the next one to no socket at all, which ends the process, or into somebody else's new session
 * (porsager/postgres#1208, #1216).
 */
export async function holdReservation(
  reserved: postgres.ReservedSql,
  streams: ReadonlySet<LoginStream>,
): Promise<postgres.ReservedSql> {
  // postgres.js tells with a statement which session it goes to. This one asks for nothing, and goes with the first of the
  // holder's; without it, a session that is lost before that one would not be known.
  const first = reserved.unsafe("").execute() as unknown as QueryInside & Promise<unknown>;
  first.catch(() => {});
  // postgres.js hands it to the connection a moment later.
  await null;
  const stream = [...streams].find(({ processId }) => processId === first.state?.pid);
  // Of a client that has been ended.
  if (!stream) return reserved;
  /** Statements that wait until the ones before them are done. */
  let waiting: QueryInside[] = [];
  const isLost = () => stream.readyState === "closed";
  const lost = () => stream.lost?.() ?? new Error("the connection is closed");
  const onClose = () => {
    for (const query of waiting) query.reject(lost());
  };
  stream.once("close", onClose);
  const guard = <Made>(made: Made): Made => {
    const { handler } = made as Partial<QueryInside>;
    if (!handler) return made;
    (made as QueryInside).handler = (query) => {
      if (isLost()) return query.reject(lost());
      handler(query);
      if (!query.state) waiting = [...waiting.filter((other) => !other.state), query];
    };
    return made;
  };
  const { unsafe, file, release } = reserved as unknown as Record<"unsafe" | "file" | "release", AnyFunction>;
  return Object.assign(
    ((...args: unknown[]) => guard((reserved as unknown as AnyFunction)(...args))) as unknown as typeof reserved,
    reserved,
    {
      unsafe: (...args: unknown[]) => guard(unsafe(...args)),
      file: (...args: unknown[]) => guard(file(...args)),
      release: () => {
        stream.removeListener("close", onClose);
        // A connection that is lost has been free since.
        if (!isLost()) release();
      },
    },
  );
}
