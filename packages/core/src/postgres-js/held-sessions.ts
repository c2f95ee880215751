import type postgres from "postgres";
import type { LoginStream, StreamClient } from "./login-stream.ts";

type Client = Pick<postgres.Sql, "begin" | "reserve">;
/** What postgres.js keeps in a query: what executes it, and, once that is done, the connection that it was given to. */
interface QueryInside {
  handler(query: QueryInside): void;
  reject(error: Error): void;
  readonly state: { readonly pid: number } | null;
}
type AnyFunction = (...args: unknown[]) => unknown;

/**
 * `begin` and `reserve` as they are, but for sessions that are lost while they belong to one transaction or reservation.
 * postgres.js would write that one's next statement, be it only its own rollback, to no socket at all, which ends the
 * process, or into somebody else's new session (porsager/postgres#1208, #1216).
 */
export function holdSessions(
  { begin, reserve }: Client,
  client: StreamClient,
  streams: ReadonlySet<LoginStream>,
): Client {
  return {
    begin: ((...args: [...unknown[], AnyFunction]) => {
      const run = args.at(-1);
      let stream: LoginStream | undefined;
      if (typeof run === "function") {
        args[args.length - 1] = (tx: unknown) => {
          // postgres.js calls this while it still handles the answer to `begin`.
          if (client.speaking?.isInTransaction()) stream = client.speaking;
          stream?.hold();
          return (run as AnyFunction)(tx);
        };
      }
      return (begin as (...args: unknown[]) => Promise<unknown>)(...args).finally(() => stream?.letGo());
    }) as typeof begin,

    async reserve() {
      const reserved = await reserve();
      // postgres.js tells with a statement which session it goes to. This one asks for nothing, and goes with the first of
      // the holder's; without it, a session that is lost before that one would not be known.
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
    },
  };
}
