import type { ConfigProblem } from "./errors.ts";

/** The fields that a connection string names. A field that it does not name is absent. */
export interface ConnectionStringFields {
  host?: string;
  hostAddress?: string;
  port?: string;
  database?: string;
  user?: string;
  password?: string;
  applicationName?: string;
}

const option = "connectionString";
/** libpq's modes that mean a verified connection here. Those below them are refused, not strengthened in silence. */
const verifiedModes = ["require", "verify-ca", "verify-full"];

/** What is wrong with an `sslmode`, or `undefined`. */
export function sslModeProblem(mode: string): string | undefined {
  if (verifiedModes.includes(mode)) return undefined;
  return `sslmode=${printable(mode)} is refused, because TLS must be verified; leave it out or use verify-full`;
}

/**
 * Reads a `postgresql://` URL. It is read here and never handed to a driver: drivers let parts of a URL override options
 * (TLS and the password among them).
 */
export function parseConnectionString(text: string): { fields: ConnectionStringFields; problems: ConfigProblem[] } {
  const problems: ConfigProblem[] = [];
  const fields: ConnectionStringFields = {};
  const problem = (message: string) => problems.push({ option, message });

  const authority = /^postgres(?:ql)?:\/\/([^/?#]*)/i.exec(text);
  if (!authority) {
    problem("must begin with postgresql://");
    return { fields, problems };
  }
  const address = authority[1]?.slice(authority[1].lastIndexOf("@") + 1) ?? "";
  const broken = address.includes(",")
    ? "names several hosts; give one"
    : address === "" || address.startsWith(":")
      ? "names no host"
      : text.includes("#")
        ? "holds a #; percent-encode it as %23"
        : undefined;
  if (broken) {
    problem(broken);
    return { fields, problems };
  }
  let url: URL;
  try {
    // The URL standard parses hosts and ports properly only for schemes that it knows. To libpq a plus is a plus, also in
    // the query, and the partner guide's `isv+lakebase` relies on it.
    const [base = "", ...query] = text.replace(/^postgres(?:ql)?:/i, "https:").split("?");
    url = new URL([base, ...query.map((part) => part.replaceAll("+", "%2B"))].join("?"));
  } catch {
    problem("is not a valid URL; percent-encode its parts (@ is %40)");
    return { fields, problems };
  }
  const decoded = (name: string, value: string): string | undefined => {
    try {
      return decodeURIComponent(value);
    } catch {
      problem(`has a ${name} with a broken percent-encoding`);
      return undefined;
    }
  };
  const set = (key: keyof ConnectionStringFields, value: string | undefined) => {
    if (value !== undefined && value !== "") fields[key] = value;
  };
  set("host", url.hostname.replace(/^\[|\]$/g, ""));
  // The default port of https is dropped by the parser, so it is read from the text.
  set("port", /:(\d+)$/.exec(authority[1] ?? "")?.[1]);
  set("user", decoded("user", url.username));
  set("password", decoded("password", url.password));
  set("database", decoded("database", url.pathname.slice(1)));

  for (const [name, value] of url.searchParams) {
    if (name !== "sslmode" && url.searchParams.getAll(name).some((other) => other !== value)) {
      problem(`has two values for ${printable(name)}`);
      break;
    }
    switch (name) {
      case "hostaddr":
        set("hostAddress", value);
        break;
      case "application_name":
        set("applicationName", value);
        break;
      case "sslmode": {
        const wrong = sslModeProblem(value);
        if (wrong) problem(wrong);
        break;
      }
      default:
        problem(`has a parameter that is not read, ${printable(name)}`);
    }
  }
  return { fields, problems };
}

function printable(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "?").slice(0, 40);
}
