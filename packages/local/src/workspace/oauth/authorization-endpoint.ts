import type { Directory } from "../../directory.ts";
import type { Answer } from "../api-error.ts";
import type { AuthorizationCodes } from "./authorization-code.ts";
import {
  type AuthorizationRequest,
  parseAuthorizationRequest,
  RefusedRequest,
  redirectTo,
  UntrustedRequest,
} from "./authorization-request.ts";
import { consentPage, errorPage } from "./consent-page.ts";
import { CONSENT_LIFE_SECONDS, type Consents } from "./consents.ts";
import type { OAuthApps } from "./oauth-apps.ts";
import { readForm } from "./token-endpoint.ts";

export interface AuthorizationContext {
  apps: OAuthApps;
  directory: Directory;
  consents: Consents;
  codes: AuthorizationCodes;
  workspaceUrl: () => string;
}

type Headers = Record<string, string | string[] | undefined>;

/** `GET …/v1/authorize`: asks a person whether an app may have what it wants. */
export function askForConsent(query: URLSearchParams, issuer: string, context: AuthorizationContext): Answer {
  return answering(() => {
    const request = parseAuthorizationRequest(query, issuer, context.apps);
    const consent = context.consents.open(request);
    const page = consentPage({ ...consent, people: context.directory.people(), workspaceUrl: context.workspaceUrl() });
    const cookie = `${cookieName(consent.id)}=${consent.browserKey}; Max-Age=${CONSENT_LIFE_SECONDS}; Path=/; Secure; HttpOnly; SameSite=Strict`;
    return { ...page, headers: { ...page.headers, "set-cookie": cookie } };
  });
}

/** `POST …/v1/authorize`: the buttons of the consent page. */
export function answerConsent(headers: Headers, body: string, context: AuthorizationContext): Answer {
  return answering(() => {
    const { origin, host, cookie } = headers;
    if (origin !== undefined && origin !== `https://${host}`) {
      throw new UntrustedRequest("The answer has come from another site.");
    }
    const form = readForm(String(headers["content-type"] ?? ""), body);
    const id = form.get("consent");
    const consent = context.consents.take(id, readCookie(String(cookie ?? ""), cookieName(id ?? "")));
    if (!consent) throw new UntrustedRequest("This page is out of date or was opened in another browser.");
    const allowed = form.get("decision") === "allow";
    return redirect(decide(consent.request, allowed ? form.get("person") : null, context));
  });
}

/**
 * Where the browser goes with a person's answer.
 *
 * @param person who allows it; null: nobody does
 */
export function decide(request: AuthorizationRequest, person: string | null, context: AuthorizationContext): string {
  if (person === null) throw new RefusedRequest(request, "access_denied", "the person has not allowed it");
  if (!context.directory.people().includes(person)) throw new UntrustedRequest("Nobody of this name is known here.");
  return redirectTo(request, { code: context.codes.issue(request, person) });
}

function answering(answer: () => Answer): Answer {
  try {
    return answer();
  } catch (error) {
    if (error instanceof RefusedRequest) return redirect(error.location);
    if (error instanceof UntrustedRequest) return errorPage(error.message);
    throw error;
  }
}

/** 303: what was a form is a plain visit there. */
function redirect(location: string): Answer {
  return { status: 303, body: "", headers: { location, "cache-control": "no-store" } };
}

// One for each page, so that two tabs do not disturb each other. `__Host-` binds it to this very host.
const cookieName = (consentId: string) => `__Host-consent-${consentId.slice(0, 8)}`;

function readCookie(header: string, name: string): string | undefined {
  const pair = header.split(/;\s*/).find((part) => part.startsWith(`${name}=`));
  return pair?.slice(name.length + 1);
}
