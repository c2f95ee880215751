import { execFile } from "node:child_process";
import { setImmediate } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { INestApplicationContext } from "@nestjs/common";
import { NestFactory } from "@nestjs/core";
import type { LakebaseEvent } from "@x/lakebase-core";
import { type LocalLakebase, startLocalLakebase } from "@x/lakebase-local";
import { DataSource } from "typeorm";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { rejection } from "../contract/world.ts";
import { appModule } from "./nestjs/app-module.ts";
import { Products } from "./nestjs/products.ts";

let local: LocalLakebase;
let app: INestApplicationContext | undefined;

const boot = (...[options, beside]: Parameters<typeof appModule>) =>
  NestFactory.createApplicationContext(
    appModule(
      { env: local.env, clock: local.clock, applicationName: { isv: "acme" }, ...options } as typeof options,
      beside,
    ),
    { logger: false, abortOnError: false },
  );

beforeAll(async () => {
  local = await startLocalLakebase({ log: () => {} });
});
afterAll(() => local.close());
afterEach(async () => {
  local.faults.clear();
  await app?.close();
  app = undefined;
  while (local.sessions() > 0) await setImmediate();
});

test("a Nest application keeps its shop in Lakebase, goes on after an hour, and ends its pool when it is closed", async () => {
  const events: LakebaseEvent[] = [];
  app = await boot({ onEvent: (event) => events.push(event) });
  const products = app.get(Products);
  await products.add("tea", 3);
  const sold = await Promise.allSettled(Array.from({ length: 5 }, () => products.sell("tea")));
  expect(sold.filter(({ status }) => status === "fulfilled")).toHaveLength(3);
  expect(await products.list()).toMatchObject([{ name: "tea", stock: 0 }]);

  local.clock.advance(61 * 60_000);
  const killed = local.killConnections("terminate");
  while (events.filter(({ type }) => type === "connectionLost").length < killed) await setImmediate();
  expect(await products.list()).toMatchObject([{ name: "tea" }]);
  expect(new Set(local.logins.map(({ applicationName, outcome }) => `${applicationName} ${outcome}`))).toEqual(
    new Set(["acme+lakebase accepted"]),
  );
  const dataSource = app.get(DataSource);
  await app.close();
  app = undefined;
  expect(dataSource.isInitialized).toBe(false);
});

test("a Nest application that cannot log in says why and leaves no session", async () => {
  local.faults.login({ kind: "refuse", sqlState: "3D000", message: 'database "missing" does not exist' });
  expect(await rejection(boot())).toMatchObject({ code: "3D000" });
});

test("a Nest application is told of a URL beside the options, before anything is opened", async () => {
  const before = local.connections.accepted;
  const error = await rejection(boot({}, { url: "postgres://u:secret-word@db.example.com/app" } as object));
  expect(error).toMatchObject({ code: "ERR_LAKEBASE_CONFIG", message: expect.stringContaining("`url`") });
  expect(error.message).not.toContain("secret-word");
  expect(local.connections.accepted).toBe(before);
});

test("a Nest program ends by itself", async () => {
  const program = fileURLToPath(new URL("nestjs/main.ts", import.meta.url));
  const env = { PATH: process.env.PATH, NODE_NO_WARNINGS: "1", ...local.env };
  const { stdout, stderr } = await promisify(execFile)(process.execPath, [program], { env, timeout: 15_000 });
  expect({ stdout, stderr }).toEqual({ stdout: "1\n", stderr: "" });
});
