import { describe } from "vitest";
import type { ContractAdapter } from "./contract-adapter.ts";
import { faultLines } from "./lines/faults.ts";
import { guardLines } from "./lines/guards.ts";
import { nameLines } from "./lines/names.ts";
import { parityLines } from "./lines/parity.ts";
import { poolLines } from "./lines/pools.ts";
import { processLines } from "./lines/processes.ts";
import { secretLines } from "./lines/secrets.ts";
import { sessionLines } from "./lines/sessions.ts";
import { statementLines } from "./lines/statements.ts";
import { streamLines } from "./lines/streams.ts";
import { tokenLines } from "./lines/tokens.ts";
import { createWorld } from "./world.ts";

/** Every promise that an adapter keeps, proved against a real Postgres behind the local Lakebase. */
export function testAdapter(adapter: ContractAdapter): void {
  describe(adapter.name, () => {
    const world = createWorld(adapter);
    describe("names itself", () => nameLines(world));
    describe("keeps its token", () => tokenLines(world));
    describe("sends secrets to nobody else", () => guardLines(world));
    describe("survives faults", () => faultLines(world));
    describe("keeps the host's behaviour", () => sessionLines(world));
    describe("answers as the host alone does", () => parityLines(world));
    describe("streams and cancels", () => streamLines(world));
    describe("prepares, copies, listens, migrates", () => statementLines(world));
    describe("pools", () => poolLines(world));
    describe("leaves nothing behind", () => processLines(world));
    describe("shows no secret", () => secretLines(world));
  });
}
