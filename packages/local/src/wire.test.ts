import { once } from "node:events";
import { type AddressInfo, connect, createServer } from "node:net";
import { expect, test } from "vitest";
import { readBytes } from "./wire.ts";

test("waits for the rest of a message of which a part has come with the one before", async () => {
  const server = createServer(async (socket) => {
    socket.write("onetw");
    await once(socket, "data");
    socket.end("o!");
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  expect(String(await readBytes(client, 3))).toBe("one");
  const rest = readBytes(client, 3);
  // Only a turn of the event loop brings the rest, so whoever looks without an end never sees it.
  setImmediate(() => client.write("go on"));
  expect(String(await rest)).toBe("two");
  expect(await readBytes(client, 3)).toBeUndefined();
  server.close();
});
