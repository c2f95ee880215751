import { Migration, Migrator } from "@mikro-orm/migrations";
import { type EntityManager, MikroORM, type Options } from "@mikro-orm/postgresql";
import { lakebasePoolConfig } from "@x/lakebase-core/pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { pgAdapter } from "./pg.ts";

const none = "MikroORM has no word for it";

export const mikroOrmAdapter: ContractAdapter = {
  name: "mikro-orm",
  defaultName: "mikro-orm",
  packages: ["@mikro-orm/postgresql", "@mikro-orm/migrations"],
  open: (options) =>
    adapt({
      dbName: options.database ?? "databricks_postgres",
      driverOptions: lakebasePoolConfig(options, "mikro-orm"),
    }),
  openPlain(url) {
    // MikroORM reads no socket folder from a URL.
    const { username: user, password, pathname, searchParams } = new URL(url);
    return adapt({ host: searchParams.get("host") ?? "", user, password, dbName: pathname.slice(1) });
  },
  refuses: pgAdapter.refuses,
  lacks: {
    prepared: none,
    copyIn: none,
    copyOut: none,
    listen: none,
    notices: none,
    "lasting end": "MikroORM connects again when it is used after close()",
    "prompt end": "MikroORM's close() waits for a login that has begun, at most `connectTimeoutMs`",
  },
};

function adapt(options: Options): OpenAdapter {
  const open = (more: Options = {}) =>
    new MikroORM({ ...options, ...more, entities: [], discovery: { warnWhenNoEntities: false } });
  const orm = open();
  const inside = (em: EntityManager): OpenTransaction => ({
    query: (sql, parameters) => em.execute<Row[]>(template(sql), parameters),
    savepoint: (run) => em.transactional((nested) => run(inside(nested))),
  });
  return {
    visible: orm,
    query: (sql, parameters) => orm.em.fork().execute<Row[]>(template(sql), parameters),
    transaction: (run) => orm.em.fork().transactional((em) => run(inside(em))),
    end: () => orm.close(),
    stream: (sql) => orm.em.getConnection().stream<Row>(sql),
    cancellable: (sql, signal) =>
      orm.em.fork().execute(sql, [], { signal, inflightQueryAbortStrategy: "cancel query" }),
    script: (sql) => orm.em.getConnection().executeDump(sql),
    migrator(table) {
      const migrate = async (direction: "up" | "down") => {
        const migrations = {
          tableName: `${table}_migrations`,
          migrationsList: [{ name: "first", class: first(table) }],
          snapshot: false,
        };
        const migrating = open({ extensions: [Migrator], migrations });
        try {
          await migrating.migrator[direction]();
        } finally {
          await migrating.close();
        }
      };
      return { up: () => migrate("up"), down: () => migrate("down") };
    },
  };
}

/** MikroORM's placeholders in the place of `$1`, `$2`, …. */
function template(sql: string): string {
  return sql.replace(/\$\d+/g, "?");
}

function first(table: string) {
  return class extends Migration {
    override up() {
      this.addSql(`create table ${table} (id int)`);
      this.addSql(`insert into ${table} values (1)`);
    }
    override down() {
      this.addSql(`drop table ${table}`);
    }
  };
}
