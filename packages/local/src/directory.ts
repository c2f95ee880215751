import { randomBytes, randomUUID, timingSafeEqual } from "node:crypto";

/** A machine identity of the workspace. */
export interface ServicePrincipal {
  clientId: string;
  clientSecret: string;
}

/** A person of the workspace. */
export interface Person {
  /** An e-mail address; also the name of the person's Postgres role. */
  userName: string;
  /** Starts with `dapi`; good for the workspace API, never as a Postgres password. */
  personalAccessToken: string;
}

/** Who the workspace knows. */
export interface Directory {
  /** @param scopes what its secret may be used for; default: everything */
  addServicePrincipal(scopes?: readonly string[]): ServicePrincipal;
  /** What the secret of a service principal may be used for; `undefined`: everything. */
  scopesOf(clientId: string): readonly string[] | undefined;
  addPerson(userName: string): Person;
  /** The client id when the secret is right. */
  authenticateClient(clientId: string, clientSecret: string): string | undefined;
  /** The user name behind a personal access token. */
  personOf(personalAccessToken: string): string | undefined;
  isServicePrincipal(clientId: string): boolean;
  knows(subject: string): boolean;
  /** Every person's user name, in the order in which they came. */
  people(): string[];
  secrets(): string[];
}

export function createDirectory(): Directory {
  const servicePrincipals = new Map<string, ServicePrincipal>();
  const secretScopes = new Map<string, readonly string[]>();
  const people = new Map<string, Person>();
  const userNames = new Map<string, string>();
  return {
    addServicePrincipal(scopes) {
      const principal = { clientId: randomUUID(), clientSecret: `dose${randomBytes(16).toString("hex")}` };
      servicePrincipals.set(principal.clientId, principal);
      if (scopes) secretScopes.set(principal.clientId, scopes);
      return principal;
    },
    scopesOf: (clientId) => secretScopes.get(clientId),
    addPerson(userName) {
      if (people.has(userName)) throw new TypeError(`the workspace already has somebody called "${userName}"`);
      const person = { userName, personalAccessToken: `dapi${randomBytes(16).toString("hex")}` };
      people.set(userName, person);
      userNames.set(person.personalAccessToken, userName);
      return person;
    },
    authenticateClient(clientId, clientSecret) {
      const expected = Buffer.from(servicePrincipals.get(clientId)?.clientSecret ?? "");
      const given = Buffer.from(clientSecret);
      return expected.length > 0 && expected.length === given.length && timingSafeEqual(expected, given)
        ? clientId
        : undefined;
    },
    personOf: (personalAccessToken) => userNames.get(personalAccessToken),
    isServicePrincipal: (clientId) => servicePrincipals.has(clientId),
    knows: (subject) => servicePrincipals.has(subject) || people.has(subject),
    people: () => [...people.keys()],
    secrets: () => [...[...servicePrincipals.values()].map(({ clientSecret }) => clientSecret), ...userNames.keys()],
  };
}
