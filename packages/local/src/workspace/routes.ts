import { type Answer, ApiError, invalid, notFound } from "./api-error.ts";
import { type CredentialContext, mintForEndpoint, mintForInstance } from "./credentials.ts";
import { type AuthorizationContext, answerConsent, askForConsent } from "./oauth/authorization-endpoint.ts";
import {
  describeAuthorizationServer,
  describeHost,
  findIssuer,
  issuerPath,
  type WorkspacePlace,
} from "./oauth/authorization-server.ts";
import { type RevocationContext, revokeToken } from "./oauth/revocation.ts";
import { answerTokenRequest, type TokenEndpointContext } from "./oauth/token-endpoint.ts";
import type { Permissions } from "./permissions.ts";
import type { Operation } from "./request-record.ts";
import { page } from "./resources/page.ts";

export interface RouteContext
  extends TokenEndpointContext,
    AuthorizationContext,
    RevocationContext,
    CredentialContext,
    WorkspacePlace {
  permissions: Permissions;
}

/** A request as its handler sees it. */
export interface Visit {
  /** Who the bearer token belongs to; empty on routes that are open. */
  subject: string;
  /** The parts of the path that the route leaves open; empty where one was left out. */
  parts: string[];
  query: URLSearchParams;
  headers: Record<string, string | string[] | undefined>;
  body: string;
}

export interface Route {
  operation: Operation;
  method: "GET" | "POST";
  path: RegExp;
  /** Answered without a bearer token. */
  open?: true;
  /** A token has to have one of these scopes, or `all-apis`. */
  scopes?: readonly string[];
  answer(visit: Visit, context: RouteContext): Answer | Promise<Answer>;
}

const ok = (body: unknown): Answer => ({ status: 200, body });
const segment = "([^/?]+)";
const at = (path: string) => new RegExp(`^${path}$`);

/** Everything that the workspace answers; a new call is a new row. */
export const routes: Route[] = [
  {
    operation: "discovery",
    method: "GET",
    path: at("/\\.well-known/databricks-config"),
    open: true,
    answer: (_visit, context) => describeHost(context),
  },
  {
    operation: "discovery",
    method: "GET",
    path: at(`${issuerPath}/\\.well-known/oauth-authorization-server`),
    open: true,
    answer: ({ parts: [account = ""] }, context) => describeAuthorizationServer(findIssuer(account, context)),
  },
  {
    operation: "token",
    method: "POST",
    path: at(`${issuerPath}/v1/token`),
    open: true,
    answer: ({ parts: [account = ""], ...visit }, context) =>
      answerTokenRequest({ ...posted(visit), issuer: findIssuer(account, context) }, context),
  },
  {
    operation: "authorize",
    method: "GET",
    path: at(`${issuerPath}/v1/authorize`),
    open: true,
    answer: ({ parts: [account = ""], query }, context) => askForConsent(query, findIssuer(account, context), context),
  },
  {
    operation: "consent",
    method: "POST",
    path: at(`${issuerPath}/v1/authorize`),
    open: true,
    answer: ({ headers, body }, context) => answerConsent(headers, body, context),
  },
  {
    operation: "revoke",
    method: "POST",
    path: at(`${issuerPath}/v1/revoke`),
    open: true,
    answer: (visit, context) => revokeToken(posted(visit), context),
  },
  {
    operation: "keys",
    method: "GET",
    path: at(`${issuerPath}/jwks\\.json`),
    open: true,
    answer: (_visit, { tokens }) => ok(tokens.publicKeys()),
  },
  {
    operation: "credential",
    method: "POST",
    path: at("/api/2\\.0/postgres/credentials"),
    scopes: ["postgres"],
    answer: (visit, context) => mintForEndpoint({ subject: visit.subject, body: jsonBody(visit) }, context),
  },
  {
    operation: "credential",
    method: "POST",
    path: at("/api/2\\.0/database/credentials"),
    scopes: ["database", "postgres"],
    answer: (visit, context) => mintForInstance({ subject: visit.subject, body: jsonBody(visit) }, context),
  },
  {
    operation: "projects",
    method: "GET",
    path: at("/api/2\\.0/postgres/projects"),
    scopes: ["postgres"],
    answer: ({ query }, { resources }) => page("projects", resources.projects(), query),
  },
  {
    operation: "branches",
    method: "GET",
    path: at(`/api/2\\.0/postgres/(projects/${segment})/branches`),
    scopes: ["postgres"],
    answer: ({ parts: [parent = ""], query }, { resources }) =>
      page("branches", found(resources.branches(parent), "project id"), query),
  },
  {
    operation: "endpoints",
    method: "GET",
    path: at(`/api/2\\.0/postgres/(projects/${segment}/branches/${segment})/endpoints`),
    scopes: ["postgres"],
    answer: ({ parts: [parent = ""], query }, { resources }) =>
      page("endpoints", found(resources.endpoints(parent), "branch id"), query),
  },
  ...(["project", "branch", "endpoint"] as const).map(
    (operation, depth): Route => ({
      operation,
      method: "GET",
      path: at(
        `/api/2\\.0/postgres/(${["projects", "branches", "endpoints"]
          .slice(0, depth + 1)
          .map((collection) => `${collection}/[^/?]+`)
          .join("/")})`,
      ),
      scopes: ["postgres"],
      answer: ({ parts: [name = ""] }, { resources }) => ok(found(resources[operation](name), `${operation} id`)),
    }),
  ),
  {
    operation: "instances",
    method: "GET",
    path: at("/api/2\\.0/database/instances"),
    scopes: ["database", "postgres"],
    answer: ({ query }, { resources }) => page("database_instances", resources.instances(), query),
  },
  {
    operation: "instance",
    method: "GET",
    path: at("/api/2\\.0/database/instances:findByUid"),
    scopes: ["database", "postgres"],
    answer: ({ query }, { resources }) => ok(found(resources.instanceByUid(query.get("uid")), "Database instance")),
  },
  {
    operation: "instance",
    method: "GET",
    path: at(`/api/2\\.0/database/instances/${segment}`),
    scopes: ["database", "postgres"],
    answer: ({ parts: [name = ""] }, { resources }) =>
      ok(found(resources.instance(name), `Database instance '${name}'`)),
  },
  {
    operation: "me",
    method: "GET",
    path: at("/api/2\\.0/preview/scim/v2/Me"),
    scopes: ["iam.current-user:read"],
    answer: ({ subject }) =>
      ok({
        schemas: ["urn:ietf:params:scim:schemas:core:2.0:User"],
        userName: subject,
        displayName: subject,
        active: true,
      }),
  },
];

function found<Thing>(thing: Thing | undefined, what: string): Thing {
  if (thing === undefined) throw notFound(what);
  return thing;
}

/** What the parts of OAuth that take forms look at. */
function posted({ headers, body }: Pick<Visit, "headers" | "body">) {
  const [contentType = "", authorization] = [headers["content-type"], headers.authorization].map((value) =>
    value === undefined ? undefined : String(value),
  );
  return { contentType, authorization, body };
}

function jsonBody({ headers, body }: Visit): Record<string, unknown> {
  if (!/^application\/json\b/i.test(String(headers["content-type"] ?? ""))) {
    throw new ApiError(400, "BAD_REQUEST", "the body must be application/json");
  }
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    throw new ApiError(400, "MALFORMED_REQUEST", "the body is not JSON");
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw invalid("the body must be an object");
  return parsed as Record<string, unknown>;
}
