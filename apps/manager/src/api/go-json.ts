const escapes = /[<>&\u2028\u2029]/g;

/** Compact JSON with the characters escaped that Go's encoder escapes. */
export function goJson(value: unknown): string {
  return JSON.stringify(value).replace(
    escapes,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
