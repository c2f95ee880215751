import { configError, LakebaseError } from "../errors.ts";
import type { WorkspaceAuthContext } from "../workspace-auth.ts";

/** Where an identity asks for tokens, when the workspace does not tell by itself. */
export interface OAuthDiscoveryOptions {
  /** Address of an OAuth authorization server's metadata (RFC 8414), in place of the workspace's: `DATABRICKS_DISCOVERY_URL`. */
  discoveryUrl?: string | undefined;
  /** Databricks account, for a host that several workspaces share: `DATABRICKS_ACCOUNT_ID`. Default: as the host tells. */
  accountId?: string | undefined;
}

/** The OAuth endpoints for one workspace. All are https. */
export interface OAuthEndpoints {
  readonly tokenEndpoint: string;
  readonly authorizationEndpoint: string;
  /** Where tokens are given back (RFC 7009), if there is such a place. */
  readonly revocationEndpoint: string | undefined;
  /** Whether what a browser brings back always names the issuer (RFC 9207). */
  readonly namesIssuer: boolean;
  /** What the server calls itself, where it was asked. */
  readonly issuer: string | undefined;
  /** Sent with every workspace call where nobody says another: names the workspace of a host that several may share. */
  readonly headers: Readonly<Record<string, string>> | undefined;
}

/** What discovery needs of a {@link WorkspaceAuthContext}. */
export type DiscoveryContext = Pick<WorkspaceAuthContext, "workspaceHost" | "request">;

/** The names of {@link OAuthDiscoveryOptions}. */
export const discoveryOptionNames = ["discoveryUrl", "accountId"] as const;

const wellKnown = "/.well-known/oauth-authorization-server";

/**
 * Finds the OAuth endpoints of workspaces, and remembers them: one identity may serve handles of several workspaces.
 * A failure is not remembered.
 */
export function rememberEndpoints(options: OAuthDiscoveryOptions) {
  const found = new Map<string, OAuthEndpoints>();
  return async (context: DiscoveryContext): Promise<OAuthEndpoints> => {
    const endpoints = found.get(context.workspaceHost) ?? (await findEndpoints(context, options));
    found.set(context.workspaceHost, endpoints);
    return endpoints;
  };
}

/**
 * Whom a subject token should be for, where nobody says: the host's first default, or else the token endpoint; on the
 * account's own host, the account.
 */
export async function defaultAudience(
  context: DiscoveryContext,
  { accountId }: OAuthDiscoveryOptions,
  endpoints: () => Promise<OAuthEndpoints>,
): Promise<string> {
  const { token_federation_default_oidc_audiences: audiences } = await hostMetadata(context);
  const first: unknown = Array.isArray(audiences) ? audiences[0] : undefined;
  if (typeof first === "string" && first !== "") return first;
  return accountId !== undefined && isAccountHost(context) ? accountId : (await endpoints()).tokenEndpoint;
}

/**
 * A workspace publishes its authorization server. A host that several share has none of its own, but tells where those of
 * its accounts are; one that tells nothing has Databricks' classic paths.
 */
async function findEndpoints(context: DiscoveryContext, options: OAuthDiscoveryOptions): Promise<OAuthEndpoints> {
  const { workspaceHost } = context;
  const { discoveryUrl, accountId } = options;
  if (discoveryUrl !== undefined) {
    const document = await readDocument(context, parseUrl(discoveryUrl, "discoveryUrl"));
    return endpointsOf(context, document ?? notThere(discoveryUrl), `${workspaceHost}/oidc`);
  }
  const ownRoot =
    accountId !== undefined && isAccountHost(context)
      ? accountRoot(`${workspaceHost}/oidc/accounts/{account_id}`, accountId)
      : `${workspaceHost}/oidc`;
  const own = await readDocument(context, `${ownRoot}${wellKnown}`);
  if (own) return endpointsOf(context, own, ownRoot);

  const host = await hostMetadata(context);
  const root =
    typeof host.oidc_endpoint === "string"
      ? accountRoot(host.oidc_endpoint, accountId ?? textOrNumber(host.account_id))
      : ownRoot;
  const document = root === ownRoot ? undefined : await readDocument(context, `${root}${wellKnown}`);
  return endpointsOf(context, document ?? {}, root, textOrNumber(host.workspace_id));
}

function endpointsOf(
  context: DiscoveryContext,
  document: Readonly<Record<string, unknown>>,
  root: string,
  workspaceId?: string,
): OAuthEndpoints {
  const httpsOf = (name: string, fallback = "") => {
    const { [name]: named = `${root}${fallback}` } = document;
    const url = typeof named === "string" && URL.canParse(named) ? new URL(named) : undefined;
    if (url?.protocol === "https:") return url.href;
    throw new LakebaseError(
      "ERR_LAKEBASE_TLS",
      `OAuth discovery at ${context.workspaceHost} names a ${name.replaceAll("_", " ")} that is not https; no secret is sent to it`,
    );
  };
  return {
    tokenEndpoint: httpsOf("token_endpoint", "/v1/token"),
    authorizationEndpoint: httpsOf("authorization_endpoint", "/v1/authorize"),
    revocationEndpoint: document.revocation_endpoint === undefined ? undefined : httpsOf("revocation_endpoint"),
    namesIssuer: document.authorization_response_iss_parameter_supported === true,
    issuer: typeof document.issuer === "string" ? document.issuer : undefined,
    headers:
      workspaceId && /^[\w-]{1,100}$/.test(workspaceId) ? { "x-databricks-workspace-id": workspaceId } : undefined,
  };
}

/** `undefined` where there is none. */
async function readDocument(context: DiscoveryContext, url: string) {
  try {
    return (await context.request("OAuth discovery", { method: "GET", url })).json;
  } catch (error) {
    if (error instanceof LakebaseError && error.code === "ERR_LAKEBASE_NOT_FOUND") return undefined;
    throw error;
  }
}

/** What a host tells of itself. Many tell nothing; what may be different a moment later is not taken for nothing. */
async function hostMetadata(context: DiscoveryContext): Promise<Readonly<Record<string, unknown>>> {
  try {
    const url = `${context.workspaceHost}/.well-known/databricks-config`;
    return (await context.request("host metadata request", { method: "GET", url })).json;
  } catch (error) {
    if (error instanceof LakebaseError && !error.retryable && error.code !== "ERR_LAKEBASE_TLS") return {};
    throw error;
  }
}

function isAccountHost({ workspaceHost }: DiscoveryContext): boolean {
  return /^https:\/\/accounts(?:-\w+)?\./.test(workspaceHost);
}

function accountRoot(template: string, accountId: string | undefined): string {
  if (template.includes("{account_id}") && accountId === undefined) {
    throw configError([
      {
        option: "accountId",
        variable: "DATABRICKS_ACCOUNT_ID",
        message: "is needed to sign in at this host, which several workspaces share",
      },
    ]);
  }
  const url = template.replaceAll("{account_id}", encodeURIComponent(accountId ?? ""));
  return parseUrl(url, "oidc_endpoint").replace(/\/$/, "");
}

function parseUrl(text: string, option: string): string {
  if (URL.canParse(text)) return new URL(text).href;
  throw configError([{ option, message: "must be an address that begins with https://" }]);
}

function notThere(discoveryUrl: string): never {
  throw configError([
    {
      option: "discoveryUrl",
      variable: "DATABRICKS_DISCOVERY_URL",
      message: `leads to nothing (HTTP 404 at ${new URL(discoveryUrl).host}); without it, the workspace is asked`,
    },
  ]);
}

function textOrNumber(value: unknown): string | undefined {
  return (typeof value === "string" && value !== "") || typeof value === "number" ? String(value) : undefined;
}
