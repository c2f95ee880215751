/** What a handle reaches. */
export interface Target {
  readonly kind: ResourceKind | "instance" | "host";
  /** The resource name of what stands in a project; else the plain name. */
  readonly name: string;
}

/** What tokens are minted for. */
export type NamedTarget = Target & { readonly kind: "endpoint" | "instance" };

/** What stands in a project, from the outside in. */
export const resourceKinds = ["project", "branch", "endpoint"] as const;
export type ResourceKind = (typeof resourceKinds)[number];

export type Parsed<T> = { readonly value: T } | { readonly problem: string };

/** How the resource name of an endpoint is written; those of branch and project are its beginning. */
export const endpointForm = "projects/<project>/branches/<branch>/endpoints/<endpoint>";

/**
 * Reads a resource name; or an id, where it is known what it stands in.
 *
 * @param outer The resource name of what it stands in, with a slash; empty if that is not known.
 */
export function parseResource(kind: ResourceKind, text: string, outer = ""): Parsed<Target> {
  const parts = endpointForm.split("/").slice(0, 2 * resourceKinds.indexOf(kind) + 2);
  const form = parts.join("/");
  const written = text.replace(/^\/+|\/+$/g, "");
  const name = written.includes("/") ? written : `${outer}${parts.at(-2)}/${written}`;
  const pattern = form.replace(/<\w+>/g, "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?");
  // Neon-style uids (`ep-cool-river-a1b2c3d4`) name a host, and the API answers 404 to them.
  const isUid = kind === "endpoint" && /(^|\/)ep-[a-z]+-[a-z]+-[a-z0-9]{8}$/.test(written);
  if (isUid || !new RegExp(`^${pattern}$`).test(name)) {
    return { problem: `must be of the form ${form}${isUid ? ', whose end is an id like "primary" and no uid' : ""}` };
  }
  return name.startsWith(outer) ? { value: { kind, name } } : { problem: `is not in ${outer}; remove one` };
}

/** Reads the name of a Provisioned instance: neither an endpoint nor a host, which people put there. */
export function parseInstance(name: string): Parsed<Target> {
  if (/^[a-z0-9]([\w-]{0,61}[a-z0-9])?$/i.test(name) && !/^instance-(ro-)?[0-9a-f-]{30}/.test(name)) {
    return { value: { kind: "instance", name } };
  }
  return { problem: "must be a name of letters, digits and hyphens; others go to `endpoint` or `host`" };
}

/** How a target is named in messages and events. */
export function targetLabel(target: Target | undefined): string {
  if (target === undefined) return "(no target)";
  return target.name.includes("/") ? target.name : `${target.kind} ${target.name}`;
}
