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
  addServicePrincipal(): ServicePrincipal;
  addPerson(userName: string): Person;
  /** The client id when the secret is right. */
  authenticateClient(clientId: string, clientSecret: string): string | undefined;
  /** The user name behind a personal access token. */
  personOf(personalAccessToken: string): string | undefined;
  knows(subject: string): boolean;
  secrets(): string[];
}

export function createDirectory(): Directory {
  const servicePrincipals = new Map<string, ServicePrincipal>();
  const people = new Map<string, Person>();
  return {
    addServicePrincipal() {
      const principal = { clientId: randomUUID(), clientSecret: `dose${randomBytes(16).toString("hex")}` };
      servicePrincipals.set(principal.clientId, principal);
      return principal;
    },
    addPerson(userName) {
      const person = { userName, personalAccessToken: `dapi${randomBytes(16).toString("hex")}` };
      people.set(person.personalAccessToken, person);
      return person;
    },
    authenticateClient(clientId, clientSecret) {
      const expected = Buffer.from(servicePrincipals.get(clientId)?.clientSecret ?? "");
      const given = Buffer.from(clientSecret);
      return expected.length > 0 && expected.length === given.length && timingSafeEqual(expected, given)
        ? clientId
        : undefined;
    },
    personOf: (personalAccessToken) => people.get(personalAccessToken)?.userName,
    knows: (subject) =>
      servicePrincipals.has(subject) || [...people.values()].some(({ userName }) => userName === subject),
    secrets: () => [
      ...[...servicePrincipals.values()].map(({ clientSecret }) => clientSecret),
      ...[...people.values()].map(({ personalAccessToken }) => personalAccessToken),
    ],
  };
}
