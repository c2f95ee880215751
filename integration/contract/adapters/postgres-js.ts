import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";
import { lakebasePostgres } from "@x/lakebase-postgres-js";
import postgres from "postgres";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { holes, plainOptions, refuses, toPostgresJs, visibleResult } from "../postgres-js-words.ts";

export const postgresJsAdapter: ContractAdapter = {
  name: "postgres-js",
  defaultName: "postgres-js",
  packages: ["postgres"],
  open: (options) => adapt((onnotice) => lakebasePostgres({ ...toPostgresJs(options), onnotice })),
  openPlain: (url) => adapt((onnotice) => postgres({ ...plainOptions(url), onnotice })),
  refuses,
  lacks: {
    migrator: "postgres.js has no migrations",
    "migrations down": "postgres.js has no migrations",
    "clean results after an error": holes,
  },
};

type Unsafe = Pick<postgres.Sql, "unsafe">;
type Parameters = postgres.ParameterOrJSON<never>[];

function adapt(open: (onnotice: (notice: postgres.Notice) => void) => postgres.Sql): OpenAdapter {
  const notices: postgres.Notice[] = [];
  const sql = open((notice) => notices.push(notice));
  const query = async (on: Unsafe, text: string, parameters?: unknown[]) => [
    ...(await on.unsafe<Row[]>(text, parameters as Parameters)),
  ];
  const inside = (tx: postgres.TransactionSql): OpenTransaction => ({
    query: (text, parameters) => query(tx, text, parameters),
    savepoint: <T>(run: (tx: OpenTransaction) => Promise<T>) =>
      tx.savepoint((nested) => run(inside(nested))) as Promise<T>,
  });
  return {
    visible: sql,
    query: (text, parameters) => query(sql, text, parameters),
    answer: async (text, parameters) => visibleResult(await sql.unsafe(text, parameters as Parameters)),
    transaction: <T>(run: (tx: OpenTransaction) => Promise<T>) => sql.begin((tx) => run(inside(tx))) as Promise<T>,
    end: () => sql.end(),
    async *stream(text) {
      for await (const rows of sql.unsafe<Row[]>(text).cursor(100)) yield* rows;
    },
    cancellable(text, signal) {
      const running = sql.unsafe(text);
      signal.addEventListener("abort", () => running.cancel());
      return running;
    },
    // postgres.js names the statements that it keeps, and finds them again by their text.
    prepared: async (_name, text, parameters) => [
      ...(await sql.unsafe<Row[]>(text, parameters as Parameters, { prepare: true })),
    ],
    copyIn: async (statement, rows) => pipeline(Readable.from([rows]), await sql.unsafe(statement).writable()),
    copyOut: async (statement) => text(await sql.unsafe(statement).readable()),
    async listen(channel, onPayload) {
      const { unlisten } = await sql.listen(channel, onPayload);
      return unlisten;
    },
    script: async (texts) => void (await sql.unsafe(texts)),
    async notices(statement) {
      notices.length = 0;
      await sql.unsafe(statement);
      return [...notices];
    },
  };
}
