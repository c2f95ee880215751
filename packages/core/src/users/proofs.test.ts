import { expect, test } from "vitest";
import { FakeClock, settle } from "../../test/fake-clock.ts";
import { watch } from "../../test/fake-workspace.ts";
import { LakebaseError } from "../errors.ts";
import { createSecret } from "../secret.ts";
import { type ProofOptions, Proofs } from "./proofs.ts";

const never = new AbortController().signal;

function setUp(options: Partial<ProofOptions> = {}) {
  const clock = new FakeClock();
  const asked: string[] = [];
  const proofs = new Proofs({
    clock,
    most: 1000,
    ask: async (token) => {
      asked.push(token.reveal());
      return `user of ${token.reveal()}`;
    },
    ...options,
  });
  const prove = (token: string) => watch(proofs.prove(createSecret(token), never));
  return { clock, proofs, prove, asked };
}

test("a proof holds a hash of the token and not the token", async () => {
  const { prove } = setUp();
  const { value } = await prove("token-a").now();
  expect(value).toMatchObject({ user: "user of token-a", endsAt: Number.POSITIVE_INFINITY });
  expect(value?.key).not.toContain("token-a");
});

test("no more proofs are kept than are allowed: the least recently used goes", async () => {
  const { prove, proofs, asked } = setUp({ most: 3 });
  for (const token of ["a", "b", "c", "a", "d"]) await prove(token).now();
  expect(proofs.size).toBe(3);
  await prove("a").now();
  expect(asked).toEqual(["a", "b", "c", "d"]);
  await prove("b").now();
  expect(asked).toEqual(["a", "b", "c", "d", "b"]);
});

test("what is being asked stays, so that nobody asks twice, however many come", async () => {
  const asked: string[] = [];
  const { prove } = setUp({
    most: 2,
    ask: (token) => {
      asked.push(token.reveal());
      return new Promise(() => {});
    },
  });
  for (const token of ["a", "b", "c", "a", "b", "c"]) prove(token);
  await settle(5);
  expect(asked).toEqual(["a", "b", "c"]);
});

test("what has ended goes, what is being asked stays", async () => {
  const { clock, prove, proofs } = setUp({
    ask: (token) => (token.reveal() === "slow" ? new Promise(() => {}) : Promise.resolve("somebody")),
  });
  await prove("a").now();
  prove("slow");
  await settle(3);
  await clock.advance(5000);
  proofs.sweep();
  expect(proofs.size).toBe(2);
  await clock.advance(116_000);
  proofs.sweep();
  expect(proofs.size).toBe(1);
});

test("strangers with any number of tokens are asked about 32 at a time", async () => {
  const waiting: ((user: string) => void)[] = [];
  const { prove } = setUp({ ask: () => new Promise((resolve) => void waiting.push(resolve)) });
  const all = Array.from({ length: 100 }, (_, index) => prove(`token-${index}`));
  await settle(5);
  expect(waiting).toHaveLength(32);
  for (let turn = 0; turn < 4; turn += 1) {
    for (const answer of waiting.splice(0)) answer("somebody");
    await settle(5);
    expect(waiting.length).toBeLessThanOrEqual(32);
  }
  expect(all.every(({ value }) => value?.user === "somebody")).toBe(true);
});

test("a workspace that fails is asked again while somebody waits", async () => {
  let fails = 2;
  const { clock, prove } = setUp({
    ask: async () => {
      if (fails-- > 0) throw new LakebaseError("ERR_LAKEBASE_UNAVAILABLE", "down", { retryable: true });
      return "ada";
    },
  });
  const asked = prove("a");
  await clock.advance(2000);
  expect((await asked.now()).value?.user).toBe("ada");
});
