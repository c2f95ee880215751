import { lakebasePoolConfig } from "@x/lakebase-core/pg";
import pg from "pg";
import { Sequelize, type Transaction } from "sequelize";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { pgAdapter } from "./pg.ts";

const none = "Sequelize has no word for it";

export const sequelizeAdapter: ContractAdapter = {
  name: "sequelize",
  defaultName: "sequelize",
  packages: ["sequelize", "pg"],
  open(options) {
    const { Client, max, min, idleTimeoutMillis } = lakebasePoolConfig(options, "sequelize");
    // Sequelize's types do not know it. Without it the first query makes one login more, to ask.
    const version = { databaseVersion: "17.0.0" };
    return adapt(
      new Sequelize({
        dialect: "postgres",
        dialectModule: { ...pg, Client },
        pool: { max, min, idle: idleTimeoutMillis ?? 30_000 },
        logging: false,
        ...version,
      }),
    );
  },
  openPlain: (url) => adapt(new Sequelize(url, { dialectModule: pg, logging: false })),
  refuses: pgAdapter.refuses,
  lacks: {
    stream: none,
    cancellable: none,
    prepared: none,
    copyIn: none,
    copyOut: none,
    listen: none,
    notices: none,
    lifetime: "Sequelize's pool has no lifetime, only `idle` and `maxUses`",
    "prompt end": "Sequelize's close() waits for a login that has begun, at most `connectTimeoutMs`",
    migrator: "Sequelize's migrations are run by sequelize-cli, a program of its own",
    "migrations down": "Sequelize's migrations are run by sequelize-cli, a program of its own",
  },
};

function adapt(sequelize: Sequelize): OpenAdapter {
  const run = async (text: string, bind?: unknown[], transaction?: Transaction): Promise<Row[]> => {
    const [rows] = await sequelize.query(text, { ...(bind ? { bind } : {}), ...(transaction ? { transaction } : {}) });
    return rows as Row[];
  };
  const inside = (transaction: Transaction): OpenTransaction => ({
    query: (text, bind) => run(text, bind, transaction),
    savepoint: (work) => sequelize.transaction({ transaction }, (nested) => work(inside(nested))),
  });
  return {
    visible: sequelize,
    query: run,
    async answer(text, bind) {
      const [rows, result] = await sequelize.query(text, bind ? { bind } : {});
      const { command, rowCount, fields } = Object(result) as pg.QueryResult;
      return { rows, command, rowCount, fields };
    },
    transaction: (work) => sequelize.transaction((transaction) => work(inside(transaction))),
    end: () => sequelize.close(),
    script: async (text) => void (await sequelize.query(text)),
  };
}
