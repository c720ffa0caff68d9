import { execFileSync } from "node:child_process";

/** For each text what Python says: `str()` of the parsed literal and the `str()` of its items, or null when it is none. */
export function askPython(
  python: string,
  texts: readonly string[],
): ({ text: string; type: string } | null)[] {
  const output = execFileSync(python, ["-c", program], {
    input: JSON.stringify(texts),
    encoding: "utf8",
    timeout: 60_000,
    maxBuffer: 256 * 1024 * 1024,
    env: { ...process.env, PYTHONWARNINGS: "ignore", PYTHONIOENCODING: "utf-8" },
  });
  return JSON.parse(output);
}

const program = `
import ast, json, sys
def ask(text):
    try:
        value = ast.literal_eval(text)
    except Exception:
        return None
    return {"text": str(value), "type": type(value).__name__}
print(json.dumps([ask(text) for text in json.load(sys.stdin)]))
`;
