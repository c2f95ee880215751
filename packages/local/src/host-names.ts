import { randomInt, randomUUID } from "node:crypto";

/** Which of the two generations of Lakebase a host belongs to; it decides the words in which a login is refused. */
export type Product = "autoscaling" | "provisioned";

/** What the front does for one host name. */
export interface HostRoute {
  product: Product;
  readOnly: boolean;
  /** Pooled hosts take passwords only. */
  pooled: boolean;
}

/** The hosts of an Autoscaling endpoint. */
export interface EndpointHosts {
  /** `ep-…`, part of the host name and not of the resource name. */
  uid: string;
  host: string;
  pooledHost: string;
  /** An endpoint that only reads has no others. */
  readOnlyHost: string;
  readOnlyPooledHost: string;
}

/** The hosts of a Provisioned instance. */
export interface InstanceHosts {
  uid: string;
  host: string;
  readOnlyHost: string;
}

/** The names under which a local Lakebase is reached; new ones at each start, so that nobody relies on them. */
export interface HostNames {
  addEndpoint(type?: "READ_WRITE" | "READ_ONLY"): EndpointHosts;
  addInstance(): InstanceHosts;
  /** Names that lead nowhere from now on. */
  remove(hosts: EndpointHosts | InstanceHosts): void;
  /** The route of a name that a client has sent (SNI). */
  route(name: string): HostRoute | undefined;
}

const AUTOSCALING_ZONE = "database.us-west-2.cloud.databricks.com";
const PROVISIONED_ZONE = "database.cloud.databricks.com";

/** The names in the certificate of the login front. */
export const frontCertificateNames = [`*.${AUTOSCALING_ZONE}`, `*.${PROVISIONED_ZONE}`, "localhost", "127.0.0.1"];

/** For clients that can only dial a name that the machine itself resolves. */
export const localhostRoute: HostRoute = { product: "autoscaling", readOnly: false, pooled: false };

const adjectives = ["autumn", "calm", "gentle", "quiet", "rapid", "silent", "twilight", "winter"];
const nouns = ["brook", "field", "forest", "lake", "meadow", "rice", "river", "sky"];

export function createHostNames(): HostNames {
  const routes = new Map<string, HostRoute>([["localhost", localhostRoute]]);

  const pair = (uid: string, readOnly: boolean): [host: string, pooledHost: string] => {
    const [host, pooledHost] = [`${uid}.${AUTOSCALING_ZONE}`, `${uid}-pooler.${AUTOSCALING_ZONE}`];
    routes.set(host, { product: "autoscaling", readOnly, pooled: false });
    routes.set(pooledHost, { product: "autoscaling", readOnly, pooled: true });
    return [host, pooledHost];
  };

  return {
    addEndpoint(type = "READ_WRITE") {
      const uid = endpointName();
      const [host, pooledHost] = pair(uid, type === "READ_ONLY");
      if (type === "READ_ONLY") return { uid, host, pooledHost, readOnlyHost: host, readOnlyPooledHost: pooledHost };
      const [readOnlyHost, readOnlyPooledHost] = pair(`${endpointName()}-ro`, true);
      return { uid, host, pooledHost, readOnlyHost, readOnlyPooledHost };
    },
    addInstance() {
      const uid = randomUUID();
      const host = `instance-${uid}.${PROVISIONED_ZONE}`;
      const readOnlyHost = `instance-ro-${uid}.${PROVISIONED_ZONE}`;
      routes.set(host, { product: "provisioned", readOnly: false, pooled: false });
      routes.set(readOnlyHost, { product: "provisioned", readOnly: true, pooled: false });
      return { uid, host, readOnlyHost };
    },
    remove(hosts) {
      for (const name of Object.values(hosts)) routes.delete(name);
    },
    route: (name) => routes.get(name.toLowerCase()),
  };
}

function endpointName(): string {
  const word = (words: string[]) => words[randomInt(words.length)];
  return `ep-${word(adjectives)}-${word(nouns)}-${randomUUID().slice(0, 8)}`;
}
