import type pg from "pg";

/** The parts of node-postgres' client by which its own pools know one that is lost. */
interface ClientInside {
  _queryable: boolean;
  _connectionError: boolean;
}

/**
 * Follows a session from its login to its loss, of which everybody is to hear once and at once.
 *
 * The server ends a session that it has reported a fatal error in. node-postgres tells only the statement that runs, and
 * its pools would give the client to another one until the socket closes.
 */
export function followSession(
  client: pg.Client,
  connection: pg.Connection,
  onLost: (code: string | undefined) => void,
): void {
  const inside = client as unknown as ClientInside;
  let lost = false;
  let told = false;
  // The end of the socket follows an error of the server, and is the same loss.
  const lose = ({ code }: NodeJS.ErrnoException) => {
    if (!lost) onLost(code);
    lost = true;
  };
  // A connection that dies while nobody listens must cost its query, not the process.
  client.on("error", (error) => {
    told = true;
    lose(error);
  });
  const isFatal = ({ severity }: pg.DatabaseError) => severity === "FATAL" || severity === "PANIC";
  connection.prependListener("errorMessage", (error: pg.DatabaseError) => {
    if (!isFatal(error)) return;
    inside._queryable = false;
    lose(error);
  });
  // Pools that look at nothing but the client's `error` event, Sequelize's and Knex's, hear of it now and not with the socket.
  connection.on("errorMessage", (error: pg.DatabaseError) => {
    if (!isFatal(error) || told) return;
    inside._connectionError = true;
    client.emit("error", error);
  });
  returnWhenLost(client);
}

/**
 * A client that ends while somebody holds it gives its place in the pool back by itself. Drizzle before 1.0 does not when
 * `begin` fails on it, nor does MikroORM when a rollback fails, and the pool would be smaller by one for good.
 */
function returnWhenLost(client: pg.Client): void {
  type Release = (error?: Error | boolean) => void;
  let release: Release | undefined;
  let lent = false;
  let returned = false;
  // pg-pool puts a new one here whenever it lends the client.
  Object.defineProperty(client, "release", {
    configurable: true,
    enumerable: true,
    get: () => release,
    set(giveBack: Release) {
      const own: Release = (error) => {
        if (own === release && returned) return;
        if (own === release) lent = false;
        giveBack(error);
      };
      release = own;
      lent = true;
    },
  });
  client.once("end", () => {
    if (!lent) return;
    release?.(true);
    returned = true;
  });
}
