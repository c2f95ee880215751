/** What can be read of one link in a chain of errors. Prisma keeps the server's words under names of its own. */
export interface ErrorLink {
  readonly code?: unknown;
  readonly message?: unknown;
  readonly originalCode?: unknown;
  readonly originalMessage?: unknown;
}

/** An error and what its host has wrapped in it, outermost first; most hosts call it `cause`, Sequelize `parent`. */
export function errorLinks(error: unknown): ErrorLink[] {
  const links: ErrorLink[] = [];
  for (let link = error; typeof link === "object" && link !== null; ) {
    links.push(link);
    const { cause, parent } = link as { cause?: unknown; parent?: unknown };
    link = cause ?? parent;
  }
  return links;
}
