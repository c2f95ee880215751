import { type Answer, ApiError, invalid, notFound } from "./api-error.ts";
import { type CredentialContext, mintForEndpoint, mintForInstance } from "./credentials.ts";
import { authorizationServer, grantToken, type OAuthContext } from "./oauth.ts";
import type { Operation } from "./request-record.ts";
import { page, type Resources } from "./resources.ts";

export interface RouteContext extends OAuthContext, CredentialContext {
  resources: Resources;
  workspaceId: string;
}

/** A request as its handler sees it. */
export interface Visit {
  /** Who the bearer token belongs to; empty on routes that are open. */
  subject: string;
  /** The parts of the path that the route leaves open. */
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
    answer: (_visit, { workspaceUrl, workspaceId }) =>
      ok({ oidc_endpoint: `${workspaceUrl()}/oidc`, workspace_id: workspaceId, cloud: "AWS" }),
  },
  {
    operation: "discovery",
    method: "GET",
    path: at("/oidc/\\.well-known/oauth-authorization-server"),
    open: true,
    answer: (_visit, { workspaceUrl }) => authorizationServer(workspaceUrl()),
  },
  {
    operation: "token",
    method: "POST",
    path: at("/oidc/v1/token"),
    open: true,
    answer: ({ headers, body }, context) =>
      grantToken(
        { contentType: String(headers["content-type"] ?? ""), authorization: headers.authorization as string, body },
        context,
      ),
  },
  {
    operation: "credential",
    method: "POST",
    path: at("/api/2\\.0/postgres/credentials"),
    answer: (visit, context) => mintForEndpoint({ subject: visit.subject, body: jsonBody(visit) }, context),
  },
  {
    operation: "credential",
    method: "POST",
    path: at("/api/2\\.0/database/credentials"),
    answer: (visit, context) => mintForInstance({ subject: visit.subject, body: jsonBody(visit) }, context),
  },
  {
    operation: "projects",
    method: "GET",
    path: at("/api/2\\.0/postgres/projects"),
    answer: ({ query }, { resources }) => page("projects", resources.projects(), query),
  },
  {
    operation: "branches",
    method: "GET",
    path: at(`/api/2\\.0/postgres/(projects/${segment})/branches`),
    answer: ({ parts: [parent = ""], query }, { resources }) =>
      page("branches", found(resources.branches(parent), "project id"), query),
  },
  {
    operation: "endpoints",
    method: "GET",
    path: at(`/api/2\\.0/postgres/(projects/${segment}/branches/${segment})/endpoints`),
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
      answer: ({ parts: [name = ""] }, { resources }) => ok(found(resources.find(name), `${operation} id`)),
    }),
  ),
  {
    operation: "instances",
    method: "GET",
    path: at("/api/2\\.0/database/instances"),
    answer: ({ query }, { resources }) => page("database_instances", resources.instances(), query),
  },
  {
    operation: "instance",
    method: "GET",
    path: at("/api/2\\.0/database/instances:findByUid"),
    answer: ({ query }, { resources }) =>
      ok(
        found(
          resources.instances().find(({ uid }) => uid === query.get("uid")),
          "Database instance",
        ),
      ),
  },
  {
    operation: "instance",
    method: "GET",
    path: at(`/api/2\\.0/database/instances/${segment}`),
    answer: ({ parts: [name = ""] }, { resources }) =>
      ok(
        found(
          resources.instances().find((instance) => instance.name === name),
          `Database instance '${name}'`,
        ),
      ),
  },
  {
    operation: "me",
    method: "GET",
    path: at("/api/2\\.0/preview/scim/v2/Me"),
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
