import { LakebaseError } from "../errors.ts";

/** How long `end()` lets logins that have begun go on. */
const shutDownGraceMs = 1000;

/**
 * Waits until a client has ended, and gives up the logins that keep it waiting.
 *
 * @param onLook Gets what is to be called whenever a stream has closed.
 */
export async function untilGone(
  ending: Promise<void>,
  shutDown: AbortController,
  streams: ReadonlySet<unknown>,
  onLook: (look: () => void) => void,
): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  // postgres.js forgets a connection that dies while it is being ended, and would wait for it for ever.
  const gone = new Promise<void>((resolve) => {
    const look = () => {
      if (shutDown.signal.aborted && streams.size === 0) resolve();
    };
    onLook(look);
    timer = setTimeout(() => {
      shutDown.abort(new LakebaseError("ERR_LAKEBASE_ABORTED", "the client was ended"));
      look();
    }, shutDownGraceMs);
  });
  await Promise.race([ending, gone]);
  clearTimeout(timer);
}
