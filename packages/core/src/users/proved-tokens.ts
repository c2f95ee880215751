import { LakebaseError } from "../errors.ts";
import type { WorkspaceAuth, WorkspaceAuthContext, WorkspaceToken } from "../workspace-auth.ts";
import type { ProvedToken } from "./proofs.ts";

/** How many tokens of one user are kept: a newer one may be revoked while an older one still works. */
const most = 4;

/** The tokens that one user has come with: the one that lives longest is used, the others stand in for it. */
export class ProvedTokens implements WorkspaceAuth {
  readonly kind = "on-behalf-of-user";
  readonly user: string;
  readonly #onRefused: (key: string) => void;
  /** The one that lives longest first. */
  #tokens: readonly ProvedToken[] = [];
  #given: ProvedToken | undefined;

  constructor(user: string, onRefused: (key: string) => void) {
    this.user = user;
    this.#onRefused = onRefused;
  }

  /** Adds a token, if it is new. @returns whether it is the one to use now */
  offer(proved: ProvedToken): boolean {
    if (this.#tokens.some(({ key }) => key === proved.key)) return false;
    this.#tokens = [proved, ...this.#tokens].sort((one, other) => other.endsAt - one.endsAt).slice(0, most);
    return this.#tokens[0] === proved;
  }

  async getToken({ forced, now }: WorkspaceAuthContext): Promise<WorkspaceToken> {
    if (forced && this.#given) {
      this.#onRefused(this.#given.key);
      this.#tokens = this.#tokens.filter((proved) => proved !== this.#given);
    }
    this.#tokens = this.#tokens.filter(({ endsAt }) => endsAt > now());
    this.#given = this.#tokens[0];
    if (this.#given) return { token: this.#given.token, cached: true };
    throw new LakebaseError(
      "ERR_LAKEBASE_UNAUTHENTICATED",
      `every access token that ${this.user} has come with has ended or was refused by the workspace; the next one that for() or use() is given is used at once`,
    );
  }
}
