import { text } from "node:stream/consumers";
import { finished } from "node:stream/promises";
import type pg from "pg";
import { from as copyFrom, to as copyTo } from "pg-copy-streams";

// What hosts have no word for, and their users do with the client of node-postgres that the host hands out.

export async function copyIn(client: pg.ClientBase, sql: string, rows: string): Promise<void> {
  const stream = client.query(copyFrom(sql));
  stream.end(rows);
  await finished(stream);
}

export function copyOut(client: pg.ClientBase, sql: string): Promise<string> {
  return text(client.query(copyTo(sql)));
}

/** The notices that come while something runs on the client. */
export async function noticesOf(client: pg.ClientBase, run: () => PromiseLike<unknown>): Promise<unknown[]> {
  const notices: unknown[] = [];
  const onNotice = (notice: unknown) => notices.push(notice);
  client.on("notice", onNotice);
  await run();
  client.off("notice", onNotice);
  return notices;
}
