import { PrismaPg } from "@prisma/adapter-pg";
import { lakebasePoolConfig } from "@x/lakebase-core/pg";
import type { ContractAdapter, OpenAdapter, OpenTransaction, Row } from "../contract-adapter.ts";
import { pgAdapter } from "./pg.ts";

const none = "Prisma has no word for it";

export const prismaAdapter: ContractAdapter = {
  name: "prisma",
  defaultName: "prisma",
  packages: ["@prisma/adapter-pg"],
  open: (options) => adapt(new PrismaPg(lakebasePoolConfig(options, "prisma"))),
  openPlain: (url) => adapt(new PrismaPg({ connectionString: url })),
  refuses: pgAdapter.refuses,
  lacks: {
    stream: none,
    cancellable: none,
    prepared: none,
    copyIn: none,
    copyOut: none,
    listen: none,
    notices: none,
    migrator: "Prisma's migrations are run by its command line, a program of its own",
    "migrations down": "Prisma's migrations have no way back",
    "prompt end": "Prisma's adapter waits for a login that has begun, at most `connectTimeoutMs`",
  },
};

type Connection = Awaited<ReturnType<PrismaPg["connect"]>>;
type Transaction = Awaited<ReturnType<Connection["startTransaction"]>>;

/** What PrismaClient does with its driver adapter: it connects it at the first query, and disposes of it once. */
function adapt(factory: PrismaPg): OpenAdapter {
  let connection: Promise<Connection> | undefined;
  let end: Promise<void> | undefined;
  const connect = () => {
    connection ??= factory.connect();
    return connection;
  };
  return {
    visible: factory,
    query: async (sql, parameters) => rowsOf(await ask(await connect(), sql, parameters)),
    answer: async (sql, parameters) => ask(await connect(), sql, parameters),
    async transaction(run) {
      const tx = await (await connect()).startTransaction();
      try {
        const result = await run(inside(tx));
        await tell(tx, "COMMIT");
        await tx.commit();
        return result;
      } catch (error) {
        await tell(tx, "ROLLBACK").finally(() => tx.rollback());
        throw error;
      }
    },
    end() {
      end ??= Promise.resolve(connection).then((opened) => opened?.dispose());
      return end;
    },
    script: async (sql) => void (await tell(await connect(), sql)),
  };
}

function inside(tx: Transaction): OpenTransaction {
  return {
    query: async (sql, parameters) => rowsOf(await ask(tx, sql, parameters)),
    async savepoint(run) {
      if (!tx.createSavepoint || !tx.rollbackToSavepoint) throw new Error("this version of Prisma has no savepoints");
      await tx.createSavepoint("nested");
      try {
        const result = await run(inside(tx));
        await tx.releaseSavepoint?.("nested");
        return result;
      } catch (error) {
        await tx.rollbackToSavepoint("nested");
        throw error;
      }
    },
  };
}

function ask(where: Connection | Transaction, sql: string, args: unknown[] = []) {
  const argTypes = args.map((arg) => ({
    scalarType: "unknown" as const,
    arity: Array.isArray(arg) ? ("list" as const) : ("scalar" as const),
  }));
  return where.queryRaw({ sql, args, argTypes });
}

function tell(where: Connection | Transaction, sql: string): Promise<unknown> {
  return where.executeRaw({ sql, args: [], argTypes: [] });
}

function rowsOf({ columnNames, rows }: Awaited<ReturnType<Connection["queryRaw"]>>): Row[] {
  return rows.map((row) => Object.fromEntries(columnNames.map((name, index) => [name, row[index]])));
}
