import { readFileSync } from "node:fs";
import { type RequestOptions as HttpOptions, request as requestHttp } from "node:http";
import { type RequestOptions as HttpsOptions, request as requestHttps } from "node:https";
import { homedir } from "node:os";
import { join } from "node:path";

type Environment = Record<string, string | undefined>;

/** A Docker engine that answers, or why there is none. */
export type EngineProbe = { engine: string } | { problem: string };

/** An engine on this machine answers in milliseconds; one behind a network may take a few round trips. */
const PROBE_LIMIT_MS = 2000;

/**
 * Asks where a Docker engine would be whether one is there: at DOCKER_HOST if that is set, else at the sockets where
 * Docker, Docker Desktop and rootless Docker listen. It takes two seconds at the most; where no socket exists it takes
 * none.
 */
export async function probeEngine(env: Environment): Promise<EngineProbe> {
  const places = env.DOCKER_HOST ? [env.DOCKER_HOST] : socketPaths(env).map((path) => `unix://${path}`);
  const problems = await Promise.all(places.map((place) => ping(place, env)));
  const answering = problems.indexOf(undefined);
  if (answering !== -1) return { engine: places[answering] ?? "" };
  const asked = env.DOCKER_HOST ? `DOCKER_HOST: ${problems[0]}` : `asked ${places.join(", ")}`;
  return { problem: `no Docker engine answers (${asked})` };
}

/** The places, in the order, in which testcontainers looks. */
function socketPaths(env: Environment): string[] {
  return [
    "/var/run/docker.sock",
    ...(env.XDG_RUNTIME_DIR ? [join(env.XDG_RUNTIME_DIR, "docker.sock")] : []),
    join(homedir(), ".docker/run/docker.sock"),
    join(homedir(), ".docker/desktop/docker.sock"),
    `/run/user/${process.getuid?.() ?? 0}/docker.sock`,
  ];
}

/** What is wrong, if anything is. */
async function ping(place: string, env: Environment): Promise<string | undefined> {
  try {
    const status = await ask(place, env);
    return status === 200 ? undefined : `/_ping was answered by ${status}`;
  } catch (error) {
    const { name, message, code } = error as NodeJS.ErrnoException;
    if (name === "AbortError") return `no answer within ${PROBE_LIMIT_MS / 1000} s`;
    // Where a name has several addresses the error of all of them has no message.
    return message || code;
  }
}

function ask(place: string, env: Environment): Promise<number | undefined> {
  const limit = { path: "/_ping", agent: false, signal: AbortSignal.timeout(PROBE_LIMIT_MS) };
  const { options, secure } = address(place, env);
  return new Promise((resolve, reject) => {
    const request = secure ? requestHttps({ ...limit, ...options }) : requestHttp({ ...limit, ...options });
    request.on("error", reject);
    request.on("response", (response) => {
      resolve(response.statusCode);
      response.destroy();
    });
    request.end();
  });
}

function address(place: string, env: Environment): { options: HttpOptions & HttpsOptions; secure: boolean } {
  const { protocol, hostname, port, pathname } = new URL(place);
  if (protocol === "unix:") return { options: { socketPath: decodeURIComponent(pathname) }, secure: false };
  if (!["tcp:", "http:", "https:"].includes(protocol)) throw new Error(`${protocol} is not unix:, tcp: or http:`);
  const certificates = env.DOCKER_TLS_VERIFY === "1" ? env.DOCKER_CERT_PATH : undefined;
  const read = (name: string) => readFileSync(join(certificates ?? "", name));
  return {
    options: {
      host: hostname.replace(/^\[|\]$/g, ""),
      port: port || (certificates ? 2376 : 2375),
      ...(certificates && { ca: read("ca.pem"), cert: read("cert.pem"), key: read("key.pem") }),
    },
    secure: protocol === "https:" || certificates !== undefined,
  };
}
