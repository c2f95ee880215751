// The part of DER (X.690) that a certificate needs.

export const der = {
  sequence: (...parts: Buffer[]) => tagged(0x30, Buffer.concat(parts)),
  set: (...parts: Buffer[]) => tagged(0x31, Buffer.concat(parts)),
  boolean: (value: boolean) => tagged(0x01, Buffer.from([value ? 0xff : 0])),
  integer: (bytes: Buffer) => tagged(0x02, (bytes[0] ?? 0) & 0x80 ? Buffer.concat([Buffer.of(0), bytes]) : bytes),
  bits: (bytes: Buffer, unusedBits = 0) => tagged(0x03, Buffer.concat([Buffer.of(unusedBits), bytes])),
  octets: (bytes: Buffer) => tagged(0x04, bytes),
  oid: (dotted: string) => tagged(0x06, oidBytes(dotted)),
  text: (value: string) => tagged(0x0c, Buffer.from(value, "utf8")),
  utcTime: (date: Date) => tagged(0x17, Buffer.from(`${date.toISOString().replace(/[-:T]/g, "").slice(2, 14)}Z`)),
  /** Context-specific tag: `constructed` wraps whole elements, otherwise `content` replaces the content of one. */
  context: (tag: number, content: Buffer, constructed = false) =>
    tagged(0x80 | (constructed ? 0x20 : 0) | tag, content),
};

function tagged(tag: number, content: Buffer): Buffer {
  return Buffer.concat([Buffer.of(tag), lengthBytes(content.length), content]);
}

function lengthBytes(length: number): Buffer {
  if (length < 0x80) return Buffer.of(length);
  return length < 0x100 ? Buffer.of(0x81, length) : Buffer.of(0x82, length >> 8, length & 0xff);
}

function oidBytes(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return Buffer.from([first * 40 + second, ...rest.flatMap(base128)]);
}

function base128(value: number): number[] {
  const bytes = [value & 0x7f];
  for (let rest = value >> 7; rest > 0; rest >>= 7) bytes.unshift((rest & 0x7f) | 0x80);
  return bytes;
}
