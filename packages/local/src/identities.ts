import { randomBytes } from "node:crypto";
import type { Directory, Person, ServicePrincipal } from "./directory.ts";
import type { IdentityProvider, SubjectTokenOptions } from "./identity-provider.ts";
import type { RoleRegister } from "./roles.ts";
import type { TokenOffice } from "./tokens.ts";
import { type AuthorizationContext, decide } from "./workspace/oauth/authorization-endpoint.ts";
import { parseAuthorizationRequest, RefusedRequest } from "./workspace/oauth/authorization-request.ts";
import {
  defaultAudiences,
  findIssuer,
  issuerPath,
  type WorkspacePlace,
} from "./workspace/oauth/authorization-server.ts";
import type { OAuthApp, OAuthAppOptions } from "./workspace/oauth/oauth-apps.ts";
import type { SignIns } from "./workspace/oauth/sign-ins.ts";
import type { TrustedIssuer, TrustedIssuers, TrustHandle } from "./workspace/oauth/trusted-issuers.ts";

/** Who may come, and how each of them proves who it is. */
export interface LocalIdentities {
  /**
   * Adds a service principal to the workspace and, unless `role` is false, a role of few rights for it.
   * With `scopes` its secret is good for tokens of these scopes only.
   */
  addServicePrincipal(options?: { role?: boolean; scopes?: readonly string[] }): Promise<ServicePrincipal>;
  /**
   * Adds people and, unless `role` is false, their roles of few rights; all of them in one round trip.
   *
   * @param people user names (e-mail addresses), or how many
   * @throws TypeError when a name is taken
   *
   * @example
   * ```ts
   * const people = await lakebase.addPeople(500);
   * ```
   */
  addPeople(people: readonly string[] | number, options?: { role?: boolean }): Promise<Person[]>;
  /**
   * Sets a federation policy: the token endpoint gives workspace tokens for the tokens of an issuer (RFC 8693).
   * The built-in identity provider of {@link LocalIdentities.issueSubjectToken} is trusted without it.
   */
  trustIssuer(policy: TrustedIssuer): TrustHandle;
  /**
   * A token of the built-in identity provider, to be exchanged for a workspace token: for the project's owner and good for
   * ten minutes, unless the options say otherwise. The provider is trusted account-wide (`subject` is a user name or a
   * client id) and for each service principal (`subject` is its client id and is given as `client_id` too).
   *
   * @example
   * ```ts
   * const subjectToken = await lakebase.issueSubjectToken({ subject: lakebase.user.userName, lifeSeconds: 60 });
   * ```
   */
  issueSubjectToken(options?: SubjectTokenOptions): Promise<string>;
  /**
   * Registers a custom OAuth app for browser sign-ins. `databricks-cli` is there without it: a public client that goes back
   * to `http://localhost` on any port.
   *
   * @throws TypeError when a redirect URI or a scope cannot be
   */
  registerApp(options: OAuthAppOptions): OAuthApp;
  /**
   * Answers the consent page without a browser.
   *
   * @param authorizationUrl where the app would send the person
   * @param answer who signs in, and whether they allow it (default true)
   * @returns where the browser would go: the redirect URI with `code`, or with `error`, and `state`
   * @throws Error with the words of the error page, when the browser would stay there
   *
   * @example
   * ```ts
   * const redirect = await lakebase.answerConsent(authorizationUrl, { person: lakebase.user.userName });
   * const code = new URL(redirect).searchParams.get("code");
   * ```
   */
  answerConsent(authorizationUrl: string | URL, answer: { person: string; allow?: boolean }): Promise<string>;
  /**
   * Ends everything that a person has let apps do, and makes their workspace tokens void. Database sessions go on, and so do
   * database credentials that were minted.
   *
   * @returns how many sign-ins have ended
   */
  signOut(userName: string): number;
  /**
   * A workspace token without any flow, as an app gets it for a person who is signed in already.
   *
   * @param subject user name of a person or client id of a service principal
   * @throws TypeError when the workspace does not know the subject
   */
  issueWorkspaceToken(
    subject: string,
    options?: {
      /** Default `["all-apis"]`. */ scopes?: readonly string[] /** Default: the option `workspaceTokenLifeSeconds`. */;
      lifeSeconds?: number;
    },
  ): Promise<string>;
}

export interface IdentitiesOptions {
  directory: Directory;
  roles: RoleRegister;
  tokens: TokenOffice;
  issuers: TrustedIssuers;
  provider: IdentityProvider;
  place: WorkspacePlace;
  authorization: AuthorizationContext;
  signIns: SignIns;
  workspaceTokenLifeSeconds: number;
  /** Added by the start already. */
  owner: ServicePrincipal;
}

export function createIdentities(options: IdentitiesOptions): LocalIdentities {
  const { authorization, signIns, directory, roles, tokens, issuers, provider, place, owner } = options;
  const ownKeys = { issuer: provider.issuer, keys: provider.keys };
  const trustFor = ({ clientId }: ServicePrincipal) =>
    issuers.trust({ ...ownKeys, servicePrincipal: { clientId, subject: clientId } });
  issuers.trust(ownKeys);
  trustFor(owner);

  return {
    async addServicePrincipal({ role = true, scopes } = {}) {
      const added = directory.addServicePrincipal(scopes);
      trustFor(added);
      if (role) await roles.addIdentity(added.clientId, "SERVICE_PRINCIPAL");
      return added;
    },
    async addPeople(people, { role = true } = {}) {
      const domain = `${randomBytes(3).toString("hex")}.example.com`;
      const names =
        typeof people === "number" ? Array.from({ length: people }, (_, n) => `person-${n}@${domain}`) : people;
      const added = names.map(directory.addPerson);
      if (role && names.length > 0) await roles.addIdentities(names, "USER");
      return added;
    },
    trustIssuer: issuers.trust,
    issueSubjectToken: ({ subject = owner.clientId, audience, ...rest } = {}) =>
      provider.issue({ ...rest, subject, audience: audience ?? defaultAudiences(place).slice(0, 1) }),
    registerApp: authorization.apps.register,
    async answerConsent(authorizationUrl, { person, allow = true }) {
      const { pathname, searchParams } = new URL(authorizationUrl);
      const account = new RegExp(`^${issuerPath}/v1/authorize$`).exec(pathname);
      if (!account) throw new TypeError(`"${pathname}" is no authorization endpoint of this workspace`);
      try {
        const request = parseAuthorizationRequest(
          searchParams,
          findIssuer(account[1] ?? "", place),
          authorization.apps,
        );
        return decide(request, allow ? person : null, authorization);
      } catch (error) {
        if (error instanceof RefusedRequest) return error.location;
        throw error;
      }
    },
    signOut(userName) {
      for (const { id, kind, subject } of tokens.issued) {
        if (kind === "workspace" && subject === userName) tokens.revoke(id);
      }
      return signIns.endAll(userName);
    },
    async issueWorkspaceToken(subject, { scopes = ["all-apis"], lifeSeconds } = {}) {
      if (!directory.knows(subject)) throw new TypeError(`the workspace knows nobody called "${subject}"`);
      const life = lifeSeconds ?? options.workspaceTokenLifeSeconds;
      return (await tokens.issue("workspace", subject, life, scopes)).token;
    },
  };
}
