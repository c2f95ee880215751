import { LakebaseError } from "../errors.ts";
import type { WorkspaceAuthContext, WorkspaceRequest } from "../workspace-auth.ts";
import type { AuthFlow } from "./auth-flow.ts";
import { refuseUnknownOptions } from "./known-options.ts";
import { discoveryOptionNames, type OAuthEndpoints, rememberEndpoints } from "./oauth-endpoints.ts";
import type { FederationOptions } from "./token-exchange.ts";
import { requestToken } from "./token-request.ts";

/** Where the JWT comes from that is exchanged. */
export type SubjectTokenSource = (
  context: WorkspaceAuthContext,
  endpoints: () => Promise<OAuthEndpoints>,
) => unknown | Promise<unknown>;

/** The exchange of a JWT for a workspace token (RFC 8693 section 2). The token endpoint is looked up once. */
export function exchangeFlow<Options extends FederationOptions>(
  factory: string,
  options: Options,
  ownOptions: readonly (keyof Options & string)[],
  source: SubjectTokenSource,
): AuthFlow {
  refuseUnknownOptions(factory, options, ["clientId", ...ownOptions, ...discoveryOptionNames]);
  const endpointsOf = rememberEndpoints(options);
  const { clientId } = options;
  return {
    async getToken(context) {
      const subjectToken = await source(context, () => endpointsOf(context));
      const claims = typeof subjectToken === "string" ? readClaims(subjectToken) : undefined;
      if (typeof subjectToken !== "string" || claims === undefined) {
        throw new LakebaseError(
          "ERR_LAKEBASE_UNAUTHENTICATED",
          `${factory}: what was found is no JWT, so it was not sent; is it the token itself that is there?`,
        );
      }
      const { tokenEndpoint, headers } = await endpointsOf(context);
      const form = {
        grant_type: "urn:ietf:params:oauth:grant-type:token-exchange",
        subject_token: subjectToken,
        subject_token_type: "urn:ietf:params:oauth:token-type:jwt",
        scope: "all-apis",
        ...(clientId === undefined ? {} : { client_id: clientId }),
      };
      const advice = adviceFor(clientId, claims, context.now());
      return { ...(await requestToken(context, tokenEndpoint, form, { advice })), headers };
    },
  };
}

/** What a JWT says of itself. Not verified: that is the workspace's part, and its answer is only explained with it. */
function readClaims(token: string): Readonly<Record<string, unknown>> | undefined {
  if (!/^[\w-]+\.[\w-]+\.[\w-]+$/.test(token)) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8"));
    return typeof claims === "object" && claims !== null ? (claims as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** Issuer, subject and audience are what a federation policy is looked up by; none of them is a secret. */
function adviceFor(
  clientId: string | undefined,
  claims: Readonly<Record<string, unknown>>,
  now: number,
): NonNullable<WorkspaceRequest["advice"]> {
  const { iss, sub, aud, exp, nbf } = claims;
  return (word) => {
    if (word === "invalid_client" && clientId !== undefined) {
      return `the service principal ${clientId} was not accepted: \`clientId\` must be its application id`;
    }
    if (word !== "invalid_grant" && word !== "unauthorized_client") return undefined;
    if (typeof exp === "number" && exp * 1000 <= now) {
      return `the token to be exchanged had ended at ${moment(exp)}: its issuer must give a new one before that`;
    }
    if (typeof nbf === "number" && nbf * 1000 > now) {
      return `the token to be exchanged is good from ${moment(nbf)} on only: is the clock of this machine or of its issuer right?`;
    }
    const whose = clientId === undefined ? "of the account" : `of the service principal ${clientId}`;
    return `the token to be exchanged was not accepted. Is there a federation policy ${whose} for issuer ${quote(iss)}, subject ${quote(sub)} and audience ${quote(aud)}?`;
  };
}

function moment(seconds: number): string {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? "a time that is none" : date.toISOString();
}

/** A claim in a message: short, on one line. */
function quote(claim: unknown): string {
  const text = Array.isArray(claim) ? claim.map(String).join(", ") : claim === undefined ? "" : String(claim);
  return `"${text.replace(/[^\x20-\x7e]|"/g, "?").slice(0, 200)}"`;
}
