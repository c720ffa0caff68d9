import { inspect } from "node:util";

const hidden = "[hidden]";

/** Whether a text was shown, and has lost a secret by that; it is no use as a setting then. */
export const isShown = (text: string): boolean => /\[hidden\]|%5Bhidden%5D/i.test(text);
export const shownMessage: string = `${hidden} stands for a secret where settings are shown; give the secret itself`;

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
