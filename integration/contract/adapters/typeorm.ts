import { lakebaseDataSourceOptions } from "@x/lakebase-typeorm";
import type pg from "pg";
import { DataSource, type DataSourceOptions, type EntityManager, type QueryRunner } from "typeorm";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { copyIn, copyOut, noticesOf } from "../pg-client-words.ts";

export const typeormAdapter: ContractAdapter = {
  name: "typeorm",
  defaultName: "typeorm",
  packages: ["typeorm", "pg"],
  open({ max: poolSize, min, idleTimeoutMillis, ...options }) {
    const lakebase = lakebaseDataSourceOptions(options);
    const extra = { min, idleTimeoutMillis };
    return adapt({ ...lakebase, ...(poolSize === undefined ? {} : { poolSize }), extra }, () => lakebase.driver.end());
  },
  openPlain: (url) => adapt({ type: "postgres", url }),
  refuses: {
    url: "postgresql://someone@db.example.com/app",
    username: "x",
    extra: { application_name: "x" },
    driver: {},
    application_name: "x",
    connectTimeoutMS: 5,
    maxLifetimeSeconds: 2_147_484,
  },
  lacks: {},
};

/** @param endUnused Ends what there is before the data source is initialised, and after it was destroyed. */
function adapt(options: DataSourceOptions, endUnused = async () => {}): OpenAdapter {
  // A failed login is logged as a warning, and refused ones are what many lines are about.
  const dataSource = new DataSource({ ...options, logging: false });
  let initialising: Promise<DataSource> | undefined;
  /** TypeORM opens its first connection in `initialize()`; here, at the first use. */
  const ready = () => {
    initialising ??= dataSource.initialize().catch((error) => {
      initialising = undefined;
      throw error;
    });
    return initialising;
  };

  async function withRunner<T>(run: (runner: QueryRunner) => Promise<T>): Promise<T> {
    const runner = (await ready()).createQueryRunner();
    try {
      return await run(runner);
    } finally {
      await runner.release();
    }
  }
  /** What TypeORM has no word for is done with node-postgres' client, which its query runner hands out. */
  const withClient = <T>(run: (client: pg.PoolClient) => Promise<T>): Promise<T> =>
    withRunner(async (runner) => run(await runner.connect()));

  return {
    visible: { dataSource, options },
    query: async (sql, parameters) => rows(await (await ready()).query(sql, parameters)),
    answer: (sql, parameters) => withRunner((runner) => runner.query(sql, parameters, true)),
    transaction: async (run) => (await ready()).transaction((manager) => run(inside(manager))),
    end: async () => (dataSource.isInitialized ? dataSource.destroy() : endUnused()),
    async *stream(sql) {
      const runner = (await ready()).createQueryRunner();
      try {
        yield* await runner.stream(sql);
      } finally {
        await runner.release();
      }
    },
    cancellable: (sql, signal) =>
      withRunner(async (runner) => {
        const [row] = await runner.query("select pg_backend_pid() as pid");
        signal.addEventListener("abort", () => void dataSource.query("select pg_cancel_backend($1)", [row.pid]));
        return runner.query(sql);
      }),
    prepared: (name, sql, values) =>
      withClient(async (client) => (await client.query({ name, text: sql, values })).rows),
    copyIn: (sql, rows) => withClient((client) => copyIn(client, sql, rows)),
    copyOut: (sql) => withClient((client) => copyOut(client, sql)),
    async listen(channel, onPayload) {
      const runner = (await ready()).createQueryRunner();
      const client: pg.PoolClient = await runner.connect();
      client.on("notification", ({ payload }) => onPayload(payload ?? ""));
      await runner.query(`listen ${channel}`);
      return async () => {
        await runner.query(`unlisten ${channel}`);
        await runner.release();
      };
    },
    notices: (sql) => withRunner(async (runner) => noticesOf(await runner.connect(), () => runner.query(sql))),
    script: async (sql) => void (await (await ready()).query(sql)),
    migrator(table) {
      const migrating = new DataSource({
        ...options,
        migrations: [migration(table)],
        migrationsTableName: `${table}_migrations`,
      });
      const during = async (run: () => Promise<unknown>) => {
        await migrating.initialize();
        try {
          await run();
        } finally {
          await migrating.destroy();
        }
      };
      return {
        up: () => during(() => migrating.runMigrations()),
        down: () => during(() => migrating.undoLastMigration()),
      };
    },
  };
}

function inside(manager: EntityManager): OpenTransaction {
  return {
    query: async (sql, parameters) => rows(await manager.query(sql, parameters)),
    savepoint: (run) => manager.transaction((nested) => run(inside(nested))),
  };
}

/** TypeORM answers an update or a delete with its rows and their number. */
function rows(answer: Row[] | [Row[], number]): Row[] {
  const [first] = answer;
  return Array.isArray(first) ? first : (answer as Row[]);
}

function migration(table: string) {
  return class {
    readonly name = "Create1709210096000";

    async up(runner: QueryRunner) {
      await runner.query(`create table ${table} (id int)`);
      await runner.query(`insert into ${table} values (1)`);
    }

    async down(runner: QueryRunner) {
      await runner.query(`drop table ${table}`);
    }
  };
}
