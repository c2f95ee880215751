/** Whether this is a list of OAuth scopes (RFC 6749 section 3.3). */
export function isScopeList(scopes: unknown): scopes is readonly string[] {
  return (
    Array.isArray(scopes) && scopes.length > 0 && scopes.every((scope) => /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(scope))
  );
}
