import type postgres from "postgres";
import type { LoginStream, StreamClient } from "./login-stream.ts";

type Client = Pick<postgres.Sql, "begin" | "reserve">;
/** What postgres.js keeps in a query: what executes it, and, once that is done, the connection that it was given to. */
type QueryInside = { handler?: (query: QueryInside) => void; state?: { readonly pid: number } | null };
type AnyFunction = (...args: unknown[]) => unknown;

/**
 * `begin` and `reserve` as they are, but for sessions that are lost while they belong to one transaction or reservation:
 * see {@link LoginStream.hold}.
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
      let stream: LoginStream | undefined;
      const watch = <Made>(made: Made): Made => {
        const query = made as QueryInside;
        const { handler } = query;
        if (handler) {
          query.handler = (given) => {
            handler(given);
            const pid = given.state?.pid;
            if (stream || pid === undefined) return;
            stream = [...streams].find(({ processId }) => processId === pid);
            stream?.hold();
          };
        }
        return made;
      };
      const { unsafe, file, release } = reserved as unknown as Record<"unsafe" | "file" | "release", AnyFunction>;
      return Object.assign(
        ((...args: unknown[]) => watch((reserved as unknown as AnyFunction)(...args))) as unknown as typeof reserved,
        reserved,
        {
          unsafe: (...args: unknown[]) => watch(unsafe(...args)),
          file: (...args: unknown[]) => watch(file(...args)),
          release: () => {
            if (!stream?.letGo()) release();
          },
        },
      );
    },
  };
}
