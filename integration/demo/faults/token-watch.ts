import { EventEmitter, once } from "node:events";
import type { LakebaseEvent } from "@x/lakebase-core";

/** Follows what the service's Lakebase handle tells, to know when a token is new enough to play with. */
export class TokenWatch {
  readonly #emitter = new EventEmitter();
  #newest: { at: number; expiresAt: number } | undefined;

  /** Sessions that ended otherwise than by their own pool. */
  losses = 0;

  readonly onEvent = (event: LakebaseEvent): void => {
    if (event.type === "refresh") this.#newest = { at: Date.now(), expiresAt: event.expiresAt.getTime() };
    if (event.type === "connectionLost") this.losses += 1;
    this.#emitter.emit(event.type);
  };

  async next(type: LakebaseEvent["type"], signal: AbortSignal): Promise<void> {
    await once(this.#emitter, type, { signal });
  }

  /**
   * Waits for a token that has used up little of its life.
   *
   * @param share of its life, 0 to 1
   * @returns how many milliseconds it has left
   */
  async untilYoung(share: number, signal: AbortSignal): Promise<number> {
    for (;;) {
      const now = Date.now();
      const token = this.#newest;
      if (token && now - token.at <= share * (token.expiresAt - token.at)) return token.expiresAt - now;
      await this.next("refresh", signal);
    }
  }
}
