import type postgres from "postgres";
import type { LoginStream, StreamClient } from "./login-stream.ts";

type Client = Pick<postgres.Sql, "begin" | "reserve">;
type AnyFunction = (...args: unknown[]) => unknown;

/**
 * `begin` and `reserve` as they are, but for sessions that are lost while they belong to one transaction or reservation:
 * see `reservation.ts` for what postgres.js would do with the next statement, be it only a transaction's own rollback.
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
      const { holdReservation } = await import("./dialling.ts");
      return holdReservation(await reserve(), streams);
    },
  };
}
