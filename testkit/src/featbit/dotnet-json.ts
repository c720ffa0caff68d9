/** JSON as .NET's serializer writes it: the same values, other bytes. */

const escaped = /\\\\|\\"|[<>&'+`\u007f-\uffff]/g;

export function writeJson(value: unknown): string {
  return JSON.stringify(value).replace(escaped, (text) => {
    if (text === "\\\\") return text;
    const code = text === '\\"' ? 0x22 : text.charCodeAt(0);
    return `\\u${code.toString(16).toUpperCase().padStart(4, "0")}`;
  });
}

/** Seven digits of a second at most, zeros at the end left out. `ticks` are tenths of a microsecond within `ms`. */
export function writeTime(ms: number, ticks: number = 0): string {
  const [head = "", fraction = ""] = new Date(ms).toISOString().slice(0, -1).split(".");
  const digits = (fraction + String(ticks).padStart(4, "0")).replace(/0+$/, "");
  return digits === "" ? `${head}Z` : `${head}.${digits}Z`;
}
