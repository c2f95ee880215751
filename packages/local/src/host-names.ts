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

/** The names under which one local Lakebase is reached; new ones at each start, so that nobody relies on them. */
export interface HostNames {
  host: string;
  pooledHost: string;
  readOnlyHost: string;
  readOnlyPooledHost: string;
  instanceHost: string;
  instanceReadOnlyHost: string;
  /** `ep-…`, part of the host name and not of the resource name. */
  endpointUid: string;
  instanceUid: string;
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
  const endpointUid = endpointName();
  const readOnlyUid = `${endpointName()}-ro`;
  const instanceUid = randomUUID();
  const names = {
    host: `${endpointUid}.${AUTOSCALING_ZONE}`,
    pooledHost: `${endpointUid}-pooler.${AUTOSCALING_ZONE}`,
    readOnlyHost: `${readOnlyUid}.${AUTOSCALING_ZONE}`,
    readOnlyPooledHost: `${readOnlyUid}-pooler.${AUTOSCALING_ZONE}`,
    instanceHost: `instance-${instanceUid}.${PROVISIONED_ZONE}`,
    instanceReadOnlyHost: `instance-ro-${instanceUid}.${PROVISIONED_ZONE}`,
  };
  const routes = new Map<string, HostRoute>([
    [names.host, { product: "autoscaling", readOnly: false, pooled: false }],
    [names.pooledHost, { product: "autoscaling", readOnly: false, pooled: true }],
    [names.readOnlyHost, { product: "autoscaling", readOnly: true, pooled: false }],
    [names.readOnlyPooledHost, { product: "autoscaling", readOnly: true, pooled: true }],
    [names.instanceHost, { product: "provisioned", readOnly: false, pooled: false }],
    [names.instanceReadOnlyHost, { product: "provisioned", readOnly: true, pooled: false }],
    ["localhost", localhostRoute],
  ]);
  return { ...names, endpointUid, instanceUid, route: (name) => routes.get(name.toLowerCase()) };
}

function endpointName(): string {
  const word = (words: string[]) => words[randomInt(words.length)];
  return `ep-${word(adjectives)}-${word(nouns)}-${randomUUID().slice(0, 8)}`;
}
