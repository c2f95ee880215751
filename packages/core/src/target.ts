/** What a handle reaches. */
export type Target =
  | { readonly kind: "endpoint"; readonly endpoint: string }
  | { readonly kind: "instance"; readonly instance: string }
  | { readonly kind: "host"; readonly host: string };

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

const id = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
const endpointName = new RegExp(`^projects/(${id})/branches/(${id})/endpoints/(${id})$`);
/** How the resource name of an endpoint is written. */
export const endpointForm = "projects/<project>/branches/<branch>/endpoints/<endpoint>";
/** Neon-style uids (`ep-cool-river-a1b2c3d4`): they name a host, and the API answers 404 to them. */
const endpointUid = /^ep-[a-z]+-[a-z]+-[a-z0-9]{8}$/;

/** Reads the resource name of an Autoscaling endpoint. */
export function parseEndpoint(text: string): Parsed<Target> {
  const endpoint = text.trim().replace(/^\/+|\/+$/g, "");
  if (endpointUid.test(endpoint)) {
    return {
      problem: `is the uid of an endpoint, which only names its host; give ${endpointForm}, whose last part is often "primary"`,
    };
  }
  const match = endpointName.exec(endpoint);
  if (!match) return { problem: `must be of the form ${endpointForm}` };
  if (endpointUid.test(match[3] ?? "")) {
    return {
      problem: `ends in the uid of an endpoint; its id belongs there, often "primary"`,
    };
  }
  return { value: { kind: "endpoint", endpoint } };
}

/** Reads the name of a Provisioned instance. */
export function parseInstance(text: string): Parsed<Target> {
  const instance = text.trim();
  if (instance.startsWith("projects/")) {
    return { problem: "is an endpoint; give it as `endpoint`" };
  }
  if (/^instance-(ro-)?[0-9a-f-]{30,}/.test(instance) || instance.includes(".")) {
    return { problem: "is a host name; give it as `host`" };
  }
  if (!/^[A-Za-z0-9](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9])?$/.test(instance)) {
    return { problem: "must be a name of letters, digits and hyphens" };
  }
  return { value: { kind: "instance", instance } };
}

/** How a target is named in messages and events. */
export function targetLabel(target: Target | undefined): string {
  if (target === undefined) return "(no target)";
  switch (target.kind) {
    case "endpoint":
      return target.endpoint;
    case "instance":
      return `instance ${target.instance}`;
    case "host":
      return `host ${target.host}`;
  }
}
