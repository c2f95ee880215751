import { randomUUID } from "node:crypto";
import { openStandIn, type StandInServer } from "./stand-in-server.ts";

/** The metadata service of an Azure machine: that of a virtual machine, and App Service's own. */
export interface Imds extends StandInServer {
  /** The token route of a virtual machine. */
  readonly endpoint: string;
  /** What App Service sets. */
  readonly appServiceEnv: { readonly IDENTITY_ENDPOINT: string; readonly IDENTITY_HEADER: string };
  /** Client ids of the identities that the machine has. */
  readonly assigned: Set<string>;
  /** How long its tokens still live when they are given out, seconds. It keeps them, so `expires_in` is longer. */
  remainingSeconds: number;
}

/** @param issue Makes a token that the workspace takes. */
export async function openImds(now: () => number, issue: (lifeSeconds: number) => Promise<string>): Promise<Imds> {
  const key = randomUUID();
  const assigned = new Set<string>();
  const standIn = await openStandIn(
    async ({ method, path, query, headers }) => {
      const isVirtualMachine = path === "/metadata/identity/oauth2/token" && query.get("api-version") === "2018-02-01";
      const isAppService = path === "/msi/token" && query.get("api-version") === "2019-08-01";
      if (method !== "GET" || !(isVirtualMachine || isAppService)) return { status: 404, body: "" };
      if (isVirtualMachine ? headers.metadata !== "true" : headers["x-identity-header"] !== key) {
        return { status: isVirtualMachine ? 400 : 401, body: { error: "invalid_request" } };
      }
      const clientId = query.get("client_id");
      if (assigned.size === 0 || (clientId !== null && !assigned.has(clientId))) {
        return { status: 400, body: { error: "invalid_request", error_description: "Identity not found" } };
      }
      const expiresOn = Math.floor(now() / 1000) + imds.remainingSeconds;
      return {
        status: 200,
        body: {
          access_token: await issue(imds.remainingSeconds),
          token_type: "Bearer",
          resource: query.get("resource"),
          // One sends numbers as texts, the other a number.
          ...(isVirtualMachine ? { expires_in: "86400", expires_on: String(expiresOn) } : { expires_on: expiresOn }),
        },
      };
    },
    { plainHttp: true, now },
  );
  const imds: Imds = Object.assign(standIn, {
    endpoint: `${standIn.url}/metadata/identity/oauth2/token`,
    appServiceEnv: { IDENTITY_ENDPOINT: `${standIn.url}/msi/token`, IDENTITY_HEADER: key },
    assigned,
    remainingSeconds: 3600,
  });
  return imds;
}
