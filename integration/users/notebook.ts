import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import pg from "pg";

export interface Note {
  readonly owner: string;
  readonly body: string;
}

/** A Lakebase with people in it, and a table of notes of which each of them sees the own ones only. */
export interface Notebook extends AsyncDisposable {
  readonly local: LocalLakebase;
  readonly people: readonly string[];
  /** How many notes everybody has. */
  readonly notesEach: number;
  /** A new access token, as an application gets it with a request. */
  tokenOf(person: string, lifeSeconds?: number): Promise<string>;
  /** Sessions of people at the server, and how many people they belong to; asked after a moment, to leave the server to others. */
  sessions(of?: readonly string[]): Promise<{ readonly sessions: number; readonly people: number }>;
}

export async function openNotebook(count: number): Promise<Notebook> {
  const local = await startLocalLakebase({ log: () => {} });
  const owner = new pg.Client(local.postgresUrl);
  await owner.connect();
  const people = (await local.addPeople(count)).map(({ userName }) => userName);
  const notesEach = 3;
  await owner.query(`
    create table notes (id int generated always as identity, owner text not null default current_user, body text not null);
    alter table notes enable row level security;
    create policy own_notes on notes using (owner = current_user) with check (owner = current_user);
    grant select, insert on notes to public;
  `);
  await owner.query(
    "insert into notes (owner, body) select person, 'note ' || n || ' of ' || person from unnest($1::text[]) person, generate_series(1, $2) n",
    [people, notesEach],
  );
  return {
    local,
    people,
    notesEach,
    tokenOf: (person, lifeSeconds) =>
      local.issueWorkspaceToken(person, {
        scopes: ["postgres", "iam.current-user:read"],
        ...(lifeSeconds === undefined ? {} : { lifeSeconds }),
      }),
    async sessions(of = people) {
      const { rows } = await owner.query(
        "select count(*)::int as sessions, count(distinct usename)::int as people from pg_sleep(0.02), pg_stat_activity where usename = any($1)",
        [of],
      );
      return rows[0];
    },
    async [Symbol.asyncDispose]() {
      await owner.end();
      await local.close();
    },
  };
}
