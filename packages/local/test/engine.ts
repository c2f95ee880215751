import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { buffer, json } from "node:stream/consumers";

/** An HTTP server on loopback, or on a Unix socket. */
export async function listen(answer: RequestListener, path?: string) {
  const server = createServer(answer).listen(path ?? { port: 0, host: "127.0.0.1" });
  await once(server, "listening");
  return {
    url: path ? `unix://${path}` : `tcp://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** What the stand-in was asked to run. */
export interface Creation {
  Image: string;
  Env: string[];
  ExposedPorts: Record<string, object>;
}

interface Container {
  creation: Creation;
  files: string;
  ports: Record<string, Server>;
}

/**
 * As much of a Docker engine as testcontainers needs to run one image: it has the image, keeps what is put into the
 * container, and instead of starting a process in it leads its ports to a Postgres that is there.
 *
 * @param prepare Tells that Postgres the environment of the container.
 * @param socket Where it listens.
 */
export async function startEngine(
  images: string[],
  prepare: (env: Record<string, string>) => Promise<void>,
  socket: string,
) {
  const folder = mkdtempSync(join(tmpdir(), "lakebase-engine-"));
  const containers = new Map<string, Container>();
  const creations: Creation[] = [];
  const commands: string[][] = [];

  const routes: [RegExp, (match: string[], request: IncomingMessage, response: ServerResponse) => unknown][] = [
    [/^GET \/_ping$/, () => ({})],
    [/^GET \/info$/, () => ({ OperatingSystem: "a stand-in", OSType: "linux" })],
    [
      /^GET \/images\/(.+)\/json$/,
      ([name = ""]) => (images.includes(name) ? { Id: name } : missing(`No such image: ${name}`)),
    ],
    [
      /^POST \/images\/create/,
      (_, __, response) => void response.writeHead(500).end('{"message":"no route to the registry"}'),
    ],
    [/^GET \/containers\/json/, () => []],
    [
      /^POST \/containers\/create/,
      async (_, request) => {
        const creation = (await json(request)) as Creation;
        const id = `container-${creations.push(creation)}`;
        mkdirSync(join(folder, id));
        containers.set(id, { creation, files: join(folder, id), ports: {} });
        return { Id: id };
      },
    ],
    [
      /^PUT \/containers\/(.+)\/archive/,
      async ([id = ""], request, response) => {
        execFileSync("tar", ["-xf", "-", "-C", find(id).files], { input: await buffer(request) });
        response.end();
      },
    ],
    [
      /^POST \/containers\/(.+)\/start$/,
      async ([id = ""]) => {
        const { creation, ports } = find(id);
        await prepare(Object.fromEntries(creation.Env.map((line) => line.split("=", 2) as [string, string])));
        for (const name of Object.keys(creation.ExposedPorts)) ports[name] = await lead(socket);
        return {};
      },
    ],
    [
      /^GET \/containers\/(.+)\/json$/,
      ([id = ""]) => {
        const bound = Object.entries(find(id).ports).map(([name, server]) => [
          name,
          [{ HostIp: "0.0.0.0", HostPort: String((server.address() as AddressInfo).port) }],
        ]);
        const State = { Running: true, Status: "running" };
        return {
          Id: id,
          Name: `/${id}`,
          State,
          Config: {},
          NetworkSettings: { Ports: Object.fromEntries(bound), Networks: {} },
        };
      },
    ],
    [
      /^GET \/containers\/(.+)\/logs/,
      (_, __, response) => {
        const line = "LOG:  database system is ready to accept connections\n";
        response.writeHead(200).write(frame(line + line));
        response.flushHeaders();
      },
    ],
    [
      /^POST \/containers\/(.+)\/exec$/,
      async (_, request) => {
        const { Cmd } = (await json(request)) as { Cmd: string[] };
        return { Id: `exec-${commands.push(Cmd)}` };
      },
    ],
    [
      /^POST \/exec\/.+\/start$/,
      (_, __, response) => void response.writeHead(200).end(frame("pg_basebackup: not found\n")),
    ],
    [/^GET \/exec\/.+\/json$/, () => ({ ExitCode: 127 })],
    [/^POST \/containers\/(.+)\/stop/, () => ({})],
    [
      /^DELETE \/containers\/(.+)\?/,
      ([id = ""]) => {
        for (const server of Object.values(find(id).ports)) server.close();
        containers.delete(id);
        return {};
      },
    ],
  ];

  const find = (id: string): Container => {
    const container = containers.get(id);
    if (!container) throw new Error(`no container ${id}`);
    return container;
  };

  const { url, close } = await listen(async (request, response) => {
    const line = `${request.method} ${request.url}`;
    const route = routes.find(([pattern]) => pattern.test(line));
    const match = route?.[0].exec(line)?.slice(1).map(decodeURIComponent) ?? [];
    const answer = route ? await route[1](match, request, response) : missing(`no route for ${line}`);
    if (answer === undefined) return;
    const status = (answer as { status?: number }).status ?? 200;
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(answer));
  });

  return {
    url,
    creations,
    commands,
    /** Containers that are there. */
    running: () => containers.size,
    /** A file in the container that was created last. */
    file(path: string) {
      const place = join(folder, `container-${creations.length}`, path);
      return { text: readFileSync(place, "utf8"), mode: statSync(place).mode & 0o777 };
    },
    close() {
      close();
      rmSync(folder, { recursive: true });
    },
  };
}

const missing = (message: string) => ({ status: 404, message });

/** Output of a container, as the engine wraps it. */
function frame(text: string): Buffer {
  const header = Buffer.from([1, 0, 0, 0, 0, 0, 0, 0]);
  header.writeUInt32BE(Buffer.byteLength(text), 4);
  return Buffer.concat([header, Buffer.from(text)]);
}

/** A port on loopback that leads to a Unix socket. */
async function lead(path: string): Promise<Server> {
  const server = createTcpServer((client: Socket) => {
    const target = connect(path);
    for (const [one, other] of [
      [client, target],
      [target, client],
    ] as const) {
      one.on("error", () => other.destroy());
      one.pipe(other);
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return server;
}
