import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  completeStartup,
  errorFields,
  isCancelRequest,
  MessageReader,
  passwordMessage,
  WholeMessages,
} from "./protocol.ts";

function message(type: string, body: string | Buffer = ""): Buffer {
  const bytes = Buffer.concat([Buffer.from(`${type}\0\0\0\0`), Buffer.from(body as string)]);
  bytes.writeUInt32BE(bytes.length - 1, 1);
  return bytes;
}

function startup(parameters: Record<string, string>): Buffer {
  const bytes = Buffer.from(`\0\0\0\0\0\x03\0\0${Object.entries(parameters).flat().join("\0")}\0\0`);
  bytes.writeInt32BE(bytes.length);
  return bytes;
}

/** As Postgres reads it: pairs, each text with its own end, and one zero byte after the last. */
function parameters(packet: Buffer): Record<string, string> {
  expect(packet.readInt32BE()).toBe(packet.length);
  expect(packet.readInt32BE(4)).toBe(196_608);
  const texts = packet.toString("utf8", 8).split("\0");
  expect(texts.splice(-2)).toEqual(["", ""]);
  const pairs = [];
  for (let index = 0; index < texts.length; index += 2) pairs.push([texts[index], texts[index + 1]]);
  return Object.fromEntries(pairs);
}

const error = (severity: string, text = "the reason", code = "57P01") =>
  message("E", `S${severity}\0V${severity}\0C${code}\0M${text}\0\0`);
const ready = (status: string) => message("Z", status);

/** Cuts bytes at the places given. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [...ends, bytes.length].map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end));
}

const text = fc.string({ unit: "grapheme", minLength: 1 }).filter((value) => !value.includes("\0"));
const messages = fc.array(
  fc.tuple(fc.constantFrom("D", "C", "T", "1", "d", "A", "S"), fc.uint8Array({ maxLength: 60 })),
  { maxLength: 12 },
);

describe("completeStartup", () => {
  test("puts the user in, and `options` where there are none", () => {
    const packet = startup({ user: "unresolved", database: "orders", application_name: "acme+lakebase" });
    expect(parameters(completeStartup(packet, "ada@example.com", "-c a=b"))).toEqual({
      user: "ada@example.com",
      database: "orders",
      application_name: "acme+lakebase",
      options: "-c a=b",
    });
    expect(parameters(completeStartup(startup({ user: "x", options: "-c c=d" }), "y", "-c a=b"))).toEqual({
      user: "y",
      options: "-c c=d",
    });
  });

  test("keeps every other parameter as it is", () => {
    fc.assert(
      fc.property(fc.dictionary(text, text), text, (given, user) => {
        const { options, user: _user, ...others } = given;
        const found = parameters(completeStartup(startup({ user: "x", ...others }), user, options));
        expect(found).toEqual({ ...others, user, ...(options === undefined ? {} : { options }) });
      }),
    );
  });
});

test("a request to cancel is told from a startup packet of its length", () => {
  const request = Buffer.from("00000010" + "04d2162e" + "00000001" + "00000002", "hex");
  expect(isCancelRequest(request)).toBe(true);
  expect(isCancelRequest(startup({ user: "a" }).subarray(0, 16))).toBe(false);
  expect(isCancelRequest(Buffer.concat([request, Buffer.alloc(1)]))).toBe(false);
});

test("a password is sent as it stands, in as many bytes as it has", () => {
  expect(passwordMessage("pä$$")).toEqual(message("p", "pä$$\0"));
});

describe("MessageReader", () => {
  test("gives the same messages wherever the bytes are cut", () => {
    const refusal = error("FATAL", 'password authentication failed for user "ä"', "28P01");
    const bytes = Buffer.concat([message("R", "\0\0\0\x03"), refusal]);
    for (let place = 0; place <= bytes.length; place += 1) {
      const reader = new MessageReader();
      const found = cut(bytes, [place]).flatMap((chunk) => [...reader.read(chunk)]);
      expect(found).toEqual([message("R", "\0\0\0\x03"), refusal]);
      expect(errorFields(found[1] ?? bytes)).toMatchObject({
        code: "28P01",
        message: 'password authentication failed for user "ä"',
      });
    }
  });

  test("keeps what comes after the last whole message", () => {
    const reader = new MessageReader();
    expect([...reader.read(Buffer.concat([ready("I"), Buffer.from("D\0\0")]))]).toEqual([ready("I")]);
    expect(reader.rest.toString("latin1")).toBe("D\0\0");
  });

  test.each([["HTTP/1.1 400 Bad Request"], ["R\0\0\0\x01"]])("refuses what is not the protocol: %j", (bytes) => {
    expect(() => [...new MessageReader().read(Buffer.from(bytes))]).toThrow(/protocol/);
  });
});

test("an error has the fields that postgres.js gives it, and none that nobody knows", () => {
  const fields = errorFields(message("E", "SERROR\0CXX000\0Mno\0Dmore\0nname\0zunknown\0\0"));
  expect(fields).toEqual({
    severity_local: "ERROR",
    code: "XX000",
    message: "no",
    detail: "more",
    constraint_name: "name",
  });
});

describe("WholeMessages", () => {
  test("passes all bytes on, in whole messages, wherever they are cut", () => {
    fc.assert(
      fc.property(messages, fc.array(fc.nat()), fc.nat(80), (list, places, tail) => {
        const whole = list.map(([type, body]) => message(type, Buffer.from(body)));
        const ends = new Set(whole.map((_, index) => Buffer.concat(whole.slice(0, index + 1)).length));
        const begun = message("D", Buffer.alloc(80)).subarray(0, tail);
        const relay = new WholeMessages();
        let passed = Buffer.alloc(0);
        for (const chunk of cut(Buffer.concat([...whole, begun]), places)) {
          for (const piece of relay.take(chunk)) {
            passed = Buffer.concat([passed, piece]);
            expect(ends).toContain(passed.length);
          }
        }
        expect(passed).toEqual(Buffer.concat(whole));
        expect(relay.fatal).toBeUndefined();
      }),
    );
  });

  test("makes no copy of messages that come whole", () => {
    const bytes = Buffer.concat([message("D", "one"), message("D", "two")]);
    const [piece, ...others] = new WholeMessages().take(bytes);
    expect(others).toEqual([]);
    expect(piece?.buffer).toBe(bytes.buffer);
  });

  test.each(["FATAL", "PANIC"])(
    "keeps a %s error back, wherever the bytes are cut, and all that follows",
    (severity) => {
      const before = Buffer.concat([message("D", "row"), error("ERROR", "passes"), ready("E")]);
      const bytes = Buffer.concat([before, error(severity), ready("I")]);
      for (let place = 0; place <= bytes.length; place += 1) {
        const relay = new WholeMessages();
        expect(Buffer.concat(cut(bytes, [place]).flatMap((chunk) => relay.take(chunk)))).toEqual(before);
        expect(relay.fatal).toMatchObject({ code: "57P01", message: "the reason" });
        expect(relay.status).toBe("E".charCodeAt(0));
      }
    },
  );

  test("knows a severity that is told in another language only", () => {
    const relay = new WholeMessages();
    relay.take(message("E", "SFATAL\0CXX000\0Mgone\0\0"));
    expect(relay.fatal).toMatchObject({ code: "XX000" });
    const translated = new WholeMessages();
    translated.take(message("E", "SFATAL\0VERROR\0C42601\0Mno\0\0"));
    expect(translated.fatal).toBeUndefined();
  });

  test("knows what the server is ready for", () => {
    const relay = new WholeMessages();
    expect(relay.status).toBe("I".charCodeAt(0));
    for (const status of ["T", "E", "I"]) {
      for (const byte of ready(status)) relay.take(Buffer.of(byte));
      expect(relay.status).toBe(status.charCodeAt(0));
    }
  });
});
