/** A value that must not be printed. `String()`, `JSON.stringify` and `util.inspect` all show `[redacted]`. */
export interface Secret {
  /** The value itself. Hand it to the one place that needs it and to nothing that logs. */
  reveal(): string;
}

const shown = "[redacted]";
const inspect = Symbol.for("nodejs.util.inspect.custom");

/**
 * Wraps a secret. The value lives in a closure, so that neither `showHidden` nor a debugger's property list finds it, and
 * secrets made by two copies of this library are interchangeable.
 */
export function createSecret(value: string): Secret {
  const hidden = (method: () => string) => ({ value: method, enumerable: false });
  return Object.freeze(
    Object.defineProperties({} as Secret, {
      reveal: hidden(() => value),
      toString: hidden(() => shown),
      toJSON: hidden(() => shown),
      [inspect]: hidden(() => shown),
    }),
  );
}

export function isSecret(value: unknown): value is Secret {
  return typeof value === "object" && value !== null && typeof (value as Secret).reveal === "function";
}
