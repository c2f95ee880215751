import { type Answer, invalid } from "../api-error.ts";

const LARGEST_PAGE = 100;

/** One page of a list; the page token is opaque to clients. */
export function page(field: string, items: unknown[], query: URLSearchParams): Answer {
  const size = Number(query.get("page_size") ?? LARGEST_PAGE);
  if (!Number.isInteger(size) || size < 1 || size > LARGEST_PAGE) {
    throw invalid(`page_size must be between 1 and ${LARGEST_PAGE}`);
  }
  const token = query.get("page_token");
  const start = token ? Number(Buffer.from(token, "base64url").toString()) : 0;
  if (!Number.isInteger(start) || start < 0) throw invalid("page_token is not one of ours");
  const rest = start + size < items.length;
  return {
    status: 200,
    body: {
      [field]: items.slice(start, start + size),
      ...(rest && { next_page_token: Buffer.from(String(start + size)).toString("base64url") }),
    },
  };
}
