import { once } from "node:events";
import type { Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import pg from "pg";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { type LocalLakebase, startLocalLakebase } from "../src/index.ts";
import { credential, int32, openClient, openRaw, readAll, sslRequest, startTls, startup, until } from "./clients.ts";

vi.setConfig({ testTimeout: 30_000, hookTimeout: 30_000 });

let lakebase: LocalLakebase;
beforeAll(async () => {
  lakebase = await startLocalLakebase({ log: () => {} });
});
afterAll(() => lakebase?.close());

const gssRequest = int32(8, 80_877_104);
const firstByte = async (socket: NodeJS.EventEmitter) => String((await once(socket, "data"))[0])[0];

test("refuses a startup packet in clear text and takes no password", async () => {
  const before = lakebase.connections.plaintextRefused;
  const socket = await openRaw(lakebase);
  socket.write(startup({ user: lakebase.servicePrincipal.clientId }));
  expect((await readAll(socket)).toString()).toContain("Invalid protocol version: 196608");
  expect(lakebase.connections.plaintextRefused).toBe(before + 1);
});

test("says no to GSSAPI encryption and goes on with TLS", async () => {
  const socket = await openRaw(lakebase);
  socket.write(gssRequest);
  expect(await firstByte(socket)).toBe("N");
  socket.write(sslRequest);
  expect(await firstByte(socket)).toBe("S");
  const secured = startTls(lakebase, socket);
  await once(secured, "secureConnect");
  secured.write(startup({ user: lakebase.servicePrincipal.clientId }));
  expect(await firstByte(secured)).toBe("R");
  secured.destroy();
});

test("speaks TLS at once to a client that names the protocol in its handshake", async () => {
  const open = (ALPNProtocols: string[]) => {
    const socket = connectTls({
      host: lakebase.hostAddress,
      port: lakebase.port,
      servername: lakebase.host,
      ca: lakebase.ca,
      ALPNProtocols,
    });
    socket.on("error", () => {});
    return socket;
  };
  const named = open(["postgresql"]);
  await once(named, "secureConnect");
  named.write(startup({ user: lakebase.servicePrincipal.clientId }));
  expect(await firstByte(named)).toBe("R");
  named.destroy();
  const nameless = open([]);
  nameless.on("secureConnect", () => nameless.write(startup({ user: lakebase.servicePrincipal.clientId })));
  expect((await readAll(nameless)).length).toBe(0);
});

test("refuses bytes that were pushed in behind the request for TLS", async () => {
  const socket = await openRaw(lakebase);
  socket.write(Buffer.concat([sslRequest, startup({ user: "attacker" })]));
  const answer = (await readAll(socket)).toString();
  expect(answer[0]).toBe("E");
  expect(answer).toContain("received unencrypted data after SSL request");
});

test.each([
  ["a startup packet of 20 kB", int32(20_000, 196_608)],
  ["a startup packet of 3 bytes", int32(3, 196_608)],
])("refuses %s", async (_name, bytes) => {
  const socket = await openRaw(lakebase);
  socket.write(bytes);
  expect((await readAll(socket)).toString()).toContain("invalid length of startup packet");
});

test("refuses a password of a megabyte before it has come", async () => {
  const socket = await openRaw(lakebase);
  socket.write(sslRequest);
  await firstByte(socket);
  const secured = startTls(lakebase, socket);
  secured.write(startup({ user: lakebase.servicePrincipal.clientId }));
  expect(await firstByte(secured)).toBe("R");
  secured.write(Buffer.concat([Buffer.from("p"), int32(1_000_000)]));
  expect((await readAll(secured)).toString()).toContain("invalid message length");
  expect(lakebase.logins.at(-1)).toMatchObject({ outcome: "dropped", passwordBytes: 0 });
});

test("counts a client that mistrusts the certificate and records no login", async () => {
  const { tlsFailed } = lakebase.connections;
  const logins = lakebase.logins.length;
  const socket = await openRaw(lakebase);
  socket.write(sslRequest);
  await firstByte(socket);
  const secured = connectTls({ socket, servername: lakebase.host });
  const [error] = await once(secured, "error");
  expect(error.code).toMatch(/UNABLE_TO_VERIFY|SELF_SIGNED/);
  await until(() => lakebase.connections.tlsFailed === tlsFailed + 1);
  expect(lakebase.logins.length).toBe(logins);
});

test.each(["in clear text, as libpq sends it", "inside TLS"])("forwards a request to cancel %s", async (way) => {
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  const { processID, secretKey } = client as pg.Client & { processID: number; secretKey: number };
  const slow = client.query("SELECT pg_sleep(30)");
  const outcome = expect(slow).rejects.toMatchObject({ code: "57014" });
  const inspector = new pg.Client(lakebase.postgresUrl);
  await inspector.connect();
  await until(async () => {
    const { rowCount } = await inspector.query("SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep'");
    return rowCount === 1;
  });
  await inspector.end();
  const before = lakebase.connections.cancelRequests;
  const raw = await openRaw(lakebase);
  const request = int32(16, 80_877_102, processID, secretKey);
  if (way === "inside TLS") {
    raw.write(sslRequest);
    await firstByte(raw);
    const secured = startTls(lakebase, raw);
    secured.write(request);
    await readAll(secured);
  } else {
    raw.write(request);
    await readAll(raw);
  }
  await outcome;
  expect(lakebase.connections.cancelRequests).toBe(before + 1);
  await client.end();
});

test("outlives clients that cut the connection in any phase", async () => {
  const steps = [
    async () => {
      const socket = await openRaw(lakebase);
      return { socket, raw: socket };
    },
    async () => {
      const raw = await openRaw(lakebase);
      raw.write(sslRequest);
      await firstByte(raw);
      return { socket: raw, raw };
    },
    async () => {
      const raw = await openRaw(lakebase);
      raw.write(sslRequest);
      await firstByte(raw);
      const secured = startTls(lakebase, raw);
      await once(secured, "secureConnect");
      return { socket: secured, raw };
    },
    async () => {
      const raw = await openRaw(lakebase);
      raw.write(sslRequest);
      await firstByte(raw);
      const secured = startTls(lakebase, raw);
      secured.write(startup({ user: lakebase.servicePrincipal.clientId }));
      await firstByte(secured);
      return { socket: secured, raw };
    },
  ];
  for (const step of steps) {
    const { raw } = await step();
    raw.resetAndDestroy();
  }
  const client = await openClient(lakebase, { password: await credential(lakebase) });
  const { connection } = client as unknown as { connection: { stream: { _parent: Socket } } };
  connection.stream._parent.resetAndDestroy();
  await until(() => lakebase.sessions() === 0);
  await until(() => lakebase.logins.every(({ outcome }) => outcome !== "pending"));
  const inspector = new pg.Client(lakebase.postgresUrl);
  await inspector.connect();
  await until(async () => {
    const { rows } = await inspector.query("SELECT FROM pg_stat_activity WHERE usename = $1", [
      lakebase.servicePrincipal.clientId,
    ]);
    return rows.length === 0;
  });
  await inspector.end();
  const next = await openClient(lakebase, { password: await credential(lakebase) });
  await next.end();
});
