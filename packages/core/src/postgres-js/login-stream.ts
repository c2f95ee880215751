import { EventEmitter } from "node:events";
import type { TLSSocket } from "node:tls";
import type { ResolvedScope } from "../config/scope.ts";
import { LakebaseError } from "../errors.ts";
import type { ConnectionSettings } from "../handle.ts";
import type { HandleInternals } from "../lakebase.ts";
import type { Secret } from "../secret.ts";
import type { Session } from "./relay.ts";
import type { Route } from "./secure-socket.ts";

/** What the streams of one client have in common. */
export interface StreamClient {
  readonly handle: HandleInternals;
  readonly scope: ResolvedScope;
  /** Aborted when the client is shut down and has waited long enough for logins. */
  readonly shutDown: AbortSignal;
  /** What postgres.js gets when it asks for the password, which it does while it handles a challenge. */
  challenged?: Secret | undefined;
  /** The session whose messages postgres.js handles, or has handled last. */
  speaking?: LoginStream | undefined;
  /** Where the last login went; statements are cancelled there. */
  route?: Route | undefined;
  onDial(settings: ConnectionSettings): void;
  onClose(stream: LoginStream): void;
}

/** The working half, loaded with the first login. */
type Dialling = typeof import("./dialling.ts");

/**
 * What postgres.js takes for its socket, as far as it uses one. The first bytes that it writes, the startup packet, begin
 * the login: a token, TCP, TLS, the packet, and all that again as often as `login.ts` finds right. postgres.js hears of
 * it when the server is ready for queries; from then on the TLS socket's own events pass through.
 *
 * It is handed over before anything is dialled, because a factory that rejects costs postgres.js the connection's slot.
 */
export class LoginStream extends EventEmitter {
  /** The server's process, as in the `state` of postgres.js' queries. */
  processId: number | undefined;
  /** postgres.js ends only a socket that is open, and a login that is under way must be ended too. */
  readyState: "open" | "closed" = "open";
  readonly #client: StreamClient;
  readonly #abort = new AbortController();
  #begun = false;
  #leaving = false;
  #keepAliveMs = 0;
  /** The socket on which the server waits for the answer to a challenge. */
  #challenger: TLSSocket | undefined;
  #session: TLSSocket | undefined;
  /** Whether the session is in a transaction and has nothing to do. */
  isInTransaction = () => false;
  #held = false;
  /** Makes the error for whoever wanted something of the session when it ended. */
  lost: (() => Error) | undefined;
  /** Fails what is written to a session that was lost while it was held. */
  #refuse: (() => void) | undefined;

  constructor(client: StreamClient) {
    super();
    this.#client = client;
  }

  write(bytes: Buffer, done?: () => void): boolean {
    if (this.#refuse) {
      process.nextTick(this.#refuse);
      if (done) process.nextTick(done);
      return true;
    }
    const socket = this.#session ?? this.#challenger;
    if (socket) return socket.write(bytes, done);
    if (!this.#begun) void this.#begin(bytes);
    return true;
  }

  end(bytes: Buffer): void {
    this.#leaving = true;
    if (this.#refuse) process.nextTick(() => this.#close());
    else if (this.#session) this.#session.end(bytes);
    else this.#abandon();
  }

  destroy(error?: Error): void {
    this.#leaving = true;
    if (this.#refuse) process.nextTick(() => this.#close());
    else if (this.#session) this.#session.destroy(error);
    else this.#abandon();
  }

  /** From here to `letGo()` the session belongs to one transaction, whose statements fail when it is lost. */
  hold(): void {
    this.#held = true;
  }

  /** The transaction is over, and postgres.js may hear of the loss. */
  letGo(): void {
    this.#held = false;
    if (this.#refuse) this.#close();
  }

  pause(): void {
    this.#session?.pause();
  }

  resume(): void {
    this.#session?.resume();
  }

  setKeepAlive(_on: true, delayMs: number): void {
    this.#keepAliveMs = delayMs;
  }

  #abandon(): void {
    this.#abort.abort(new LakebaseError("ERR_LAKEBASE_ABORTED", "the client was ended"));
    if (this.#begun) return;
    this.#begun = true;
    process.nextTick(() => this.#close());
  }

  async #begin(packet: Buffer): Promise<void> {
    this.#begun = true;
    try {
      const dialling = await import("./dialling.ts");
      if (!dialling.isCancelRequest(packet)) return await this.#logIn(packet, dialling);
      const { route, scope } = this.#client;
      await dialling.cancel(route, packet, scope.connectTimeoutMs, this.#abort.signal);
      process.nextTick(() => this.#close());
    } catch (error) {
      // Outside of the promise, so that what a listener throws is an exception and not a lost rejection.
      process.nextTick(() => this.#fail(error));
    }
  }

  async #logIn(startup: Buffer, dialling: Dialling): Promise<void> {
    const { handle, scope, shutDown } = this.#client;
    const onShutDown = () => this.#abort.abort(shutDown.reason);
    if (shutDown.aborted) onShutDown();
    shutDown.addEventListener("abort", onShutDown, { once: true });
    try {
      await handle.logIn(scope, scope.connectTimeoutMs, this.#abort.signal, (settings, signal, accepted) => {
        this.#client.onDial(settings);
        return dialling.dial(startup, settings, this.#keepAliveMs, signal, {
          onChallenge: (socket, message) => this.#passChallengeOn(socket, message, settings.password),
          onReady: (session) => {
            accepted();
            this.#relay(session, dialling);
          },
        });
      });
    } catch (error) {
      throw dialling.ownCopy(error);
    } finally {
      this.#challenger = undefined;
      shutDown.removeEventListener("abort", onShutDown);
    }
  }

  /** SCRAM and MD5, for native roles: postgres.js knows how. It asks for the password before this returns. */
  #passChallengeOn(socket: TLSSocket, message: Buffer, password: Secret): void {
    this.#challenger = socket;
    this.#client.challenged = password;
    try {
      this.emit("data", message);
    } finally {
      this.#client.challenged = undefined;
    }
  }

  #relay(session: Session, dialling: Dialling): void {
    this.#session = session.socket;
    this.processId = session.processId;
    this.isInTransaction = dialling.relay(session, {
      onData: (bytes) => {
        this.#client.speaking = this;
        this.emit("data", bytes);
      },
      onDrain: () => this.emit("drain"),
      onEnd: (code, lost) => {
        this.lost = lost;
        if (this.#leaving) return this.#close();
        this.#client.handle.emit({ type: "connectionLost", code });
        if (!this.#held) {
          this.emit("error", lost());
          return this.#close();
        }
        this.#refuse = () => {
          if (this.readyState === "closed") return;
          this.emit("error", lost());
          this.emit("data", dialling.readyAfterFailure);
        };
        this.#refuse();
      },
    });
  }

  /** A login that has come to nothing. */
  #fail(error: unknown): void {
    this.emit("error", error);
    this.#close();
  }

  #close(): void {
    if (this.readyState === "closed") return;
    this.readyState = "closed";
    this.#client.onClose(this);
    // Never as an end by an error, after which postgres.js forgets statements that it has written meanwhile, and pauses for
    // up to 20 s: `login.ts` has done the waiting.
    this.emit("close", false);
  }
}
