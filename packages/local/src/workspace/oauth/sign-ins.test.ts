import { expect, test } from "vitest";
import { createClock } from "../../clock.ts";
import { createTokenOffice } from "../../tokens.ts";
import { createSignIns } from "./sign-ins.ts";

test("leaves no good token behind when it ends while one is being signed", async () => {
  const clock = createClock();
  const tokens = await createTokenOffice({ issuer: () => "https://workspace.example.com/oidc", clock });
  const signIns = createSignIns({ tokens, workspaceTokenLifeSeconds: 60, now: clock.now });
  const signIn = signIns.open({
    person: "ada@example.com",
    clientId: "shop",
    scopes: ["all-apis", "offline_access"],
    issuer: "https://workspace.example.com/oidc",
    nonce: undefined,
    rotates: true,
  });
  const issuing = signIns.issue(signIn);
  signIns.end(signIn);
  await expect(issuing).rejects.toThrow("the sign-in has ended");
  const [token] = tokens.secrets();
  expect(await tokens.verify(String(token), "workspace")).toMatchObject({ kind: "rejected" });
  expect(signIns.secrets()).toEqual([]);
});
