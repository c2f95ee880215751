import { detectLakebase } from "@x/lakebase-core";
import { afterAll, beforeAll, expect, test } from "vitest";
import { able, outcomes, rejection, serverError, times, type World } from "../world.ts";

export function sessionLines(world: World): void {
  const accounts = `accounts_${world.sqlName}`;
  beforeAll(async () => {
    const app = world.adapter.open(world.options());
    await app.query(`create table ${accounts} (id int primary key, balance int not null)`);
    await app.query(`insert into ${accounts} select id, 1000 from generate_series(1, 8) id`);
    await app.end();
  });
  afterAll(async () => {
    const app = world.adapter.open(world.options());
    await app.query(`drop table ${accounts}`);
    await app.end();
  });

  test("keeps transactions apart: rolled-back ones leave nothing, committed ones balance", async () => {
    const app = world.open({ max: 8 });
    const transfers = times(120, (index) =>
      app.transaction(async (tx) => {
        const [from, to] = [(index % 8) + 1, ((index * 3 + 1) % 8) + 1];
        // Locks in one order, so that transfers wait for each other and do not deadlock.
        await tx.query(`select 1 from ${accounts} where id in (${from}, ${to}) order by id for update`);
        await tx.query(`update ${accounts} set balance = balance - 7 where id = ${from}`);
        if (index % 3 === 0) throw new Error("changed my mind");
        await tx.query(`update ${accounts} set balance = balance + 7 where id = ${to}`);
      }),
    );
    const { succeeded, failures } = await outcomes(transfers);
    expect({ succeeded, failed: failures.length }).toEqual({ succeeded: 80, failed: 40 });
    expect(failures.every((error) => error.message === "changed my mind")).toBe(true);
    expect(await app.query(`select sum(balance)::int as total from ${accounts}`)).toEqual([{ total: 8000 }]);
  });

  world.line("savepoints", "rolls back to a savepoint and commits the rest", async () => {
    const app = world.open({ max: 2 });
    await app.transaction(async (tx) => {
      await tx.query(`insert into ${accounts} values (101, 0)`);
      await rejection(
        able(tx.savepoint)(async (inner) => {
          await inner.query(`insert into ${accounts} values (102, 0)`);
          throw new Error("only the inner part");
        }),
      );
      await able(tx.savepoint)((inner) => inner.query(`insert into ${accounts} values (103, 0)`));
    });
    const rows = await app.query(`delete from ${accounts} where id > 100 returning id`);
    expect(rows.map(({ id }) => id).sort()).toEqual([101, 103]);
  });

  test("passes a server error on with its SQLSTATE", async () => {
    const error = await rejection(world.open().query("select 1/0"));
    expect(serverError(error)?.code).toBe("22012");
  });

  test("is told from plain Postgres, also inside a transaction of an ordinary role", async () => {
    const { PGUSER: _, ...env } = world.local.env;
    const person = { DATABRICKS_TOKEN: world.local.user.personalAccessToken, DATABRICKS_AUTH_TYPE: "pat" };
    const app = world.open(world.options({ ...env, ...person }));
    const detection = await app.transaction(async (tx) => {
      const found = await detectLakebase((sql) => tx.query(sql));
      await tx.query("select 1");
      return found;
    });
    expect(detection).toMatchObject({ isLakebase: true, evidence: { lakebaseMode: "on", preloadLibraries: null } });
    const owner = await detectLakebase((sql) => world.open().query(sql));
    expect(owner.evidence.preloadLibraries).toEqual(expect.arrayContaining(["neon", "databricks_auth"]));
  });

  test("logs in as a native role by SCRAM, with the same name and verified TLS", async () => {
    const { nativeRole, host, hostAddress, port } = world.local;
    const app = world.open({ ...nativeRole, host, hostAddress, port, applicationName: "acme+lakebase" });
    const [row] = await app.query("select current_user as name");
    expect(row?.name).toBe(nativeRole.user);
    expect(world.logins()[0]).toMatchObject({ applicationName: "acme+lakebase", passwordBytes: 0, tls: "TLSv1.3" });
    expect(world.requests()).toEqual([]);
  });

  test("cannot write where it asked to read only", async () => {
    const app = world.open({ access: "read-only" });
    const error = await rejection(app.query(`insert into ${accounts} values (200, 0)`));
    expect(serverError(error)?.code).toBe("25006");
  });
}
