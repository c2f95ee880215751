import { randomUUID } from "node:crypto";

/** An answer of the workspace API. */
export interface Answer {
  status: number;
  /** A text is sent as it is, anything else as JSON. */
  body: unknown;
  headers?: Record<string, string>;
}

/** A refusal in the shape that Databricks gives to its errors. */
export class ApiError extends Error {
  override name = "ApiError";
  readonly answer: Answer;
  constructor(status: number, errorCode: string, message: string) {
    super(message);
    const details = [{ "@type": "type.googleapis.com/google.rpc.RequestInfo", request_id: randomUUID() }];
    this.answer = { status, body: { error_code: errorCode, message, details } };
  }
}

/** A refusal of the OAuth endpoint (RFC 6749, section 5.2). */
export class OAuthError extends Error {
  override name = "OAuthError";
  readonly answer: Answer;
  constructor(status: number, error: string, description: string) {
    super(description);
    this.answer = { status, body: { error, error_description: description } };
  }
}

export function notFound(what: string): ApiError {
  return new ApiError(404, "NOT_FOUND", `${what} not found [TraceId: ${randomUUID()}]`);
}

export function invalid(message: string): ApiError {
  return new ApiError(400, "INVALID_PARAMETER_VALUE", message);
}
