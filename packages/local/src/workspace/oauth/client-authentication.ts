/** The client id and secret of a token request: from a Basic header, else from the form (RFC 6749, section 2.3.1). */
export function givenCredentials(
  authorization: string | undefined,
  form: URLSearchParams,
): { clientId: string; clientSecret: string | undefined } {
  const basic = basicCredentials(authorization);
  if (basic) return { clientId: basic[0], clientSecret: basic[1] };
  return { clientId: form.get("client_id") ?? "", clientSecret: form.get("client_secret") ?? undefined };
}

/** The user and password of a Basic header. */
export function basicCredentials(authorization: string | undefined): [string, string] | undefined {
  const encoded = /^Basic (.+)$/i.exec(authorization ?? "")?.[1];
  if (!encoded) return undefined;
  const [name = "", ...rest] = Buffer.from(encoded, "base64").toString("utf8").split(":");
  return [formDecode(name), formDecode(rest.join(":"))];
}

// Both halves are form-encoded before they are joined.
function formDecode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
