import { inspect } from "node:util";

const hidden = "[hidden]";

/** A value that must not be printed: it shows as `[hidden]` in texts, JSON, logs and the debugger's view. */
export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself. Call it where the value is sent, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return hidden;
  }

  toJSON(): string {
    return hidden;
  }
}

Object.defineProperty(Secret.prototype, inspect.custom, { value: () => hidden });
