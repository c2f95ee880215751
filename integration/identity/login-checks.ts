import { inspect } from "node:util";
import type { LakebaseOptions } from "@x/lakebase-core";
import { expect } from "vitest";
import { rejection, type World } from "../contract/world.ts";

/** Who a login with these options is, by Postgres's word. */
export async function userOf(world: World, options: LakebaseOptions): Promise<unknown> {
  const [row] = await world.open({ lakebase: world.handle(options) }).query("select current_user::text as me");
  return row?.me;
}

/**
 * The error of a login with these options, after it and all events were searched for secrets.
 *
 * @param secrets Those that the local Lakebase does not know; a function where they come to be with the login.
 */
export async function failureOf(
  world: World,
  options: LakebaseOptions,
  secrets: readonly string[] | (() => readonly string[]),
) {
  const error = await rejection(world.handle(options).warmup());
  const others = typeof secrets === "function" ? secrets() : secrets;
  const said = inspect([error, world.events], { depth: 9 }) + JSON.stringify(error);
  expect([...world.local.secrets(), ...others].filter((secret) => said.includes(secret))).toEqual([]);
  return error;
}
