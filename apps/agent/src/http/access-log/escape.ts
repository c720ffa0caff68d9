// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const unsafe = /["\\\x00-\x1f\x7f-\uffff]/g;
const jsonUnsafe = /[\x7f-\x9f\u2028\u2029]/g;

/** For a field between quotes: what ends it, ends the line or moves a terminal's cursor is written `\xHH`. */
export function escapeField(text: string): string {
  return text.replace(unsafe, (character) => {
    const code = character.charCodeAt(0);
    return code > 0xff
      ? `\\u${code.toString(16).padStart(4, "0")}`
      : `\\x${code.toString(16).toUpperCase().padStart(2, "0")}`;
  });
}

/** A JSON string that also a terminal may show. */
export function escapeJson(text: string): string {
  return JSON.stringify(text).replace(
    jsonUnsafe,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
