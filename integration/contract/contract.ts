import { describe } from "vitest";
import type { ContractAdapter } from "./contract-adapter.ts";
import { faultLines } from "./faults.ts";
import { guardLines } from "./guards.ts";
import { nameLines } from "./names.ts";
import { processLines } from "./processes.ts";
import { secretLines } from "./secrets.ts";
import { sessionLines } from "./sessions.ts";
import { tokenLines } from "./tokens.ts";
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
    describe("leaves nothing behind", () => processLines(world));
    describe("shows no secret", () => secretLines(world));
  });
}
