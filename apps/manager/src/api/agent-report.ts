import { codePattern } from "@posthouse/protocol";

/** What an agent said, as Flecto's Manager understands it. */
export interface ReadReport {
  readonly name: string;
  readonly status: string;
  readonly type: string;
  readonly version: number;
  readonly load_duration: number;
  readonly error: string;
}

const units: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};
const durationPattern = /^[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/;
const maxErrorCharacters = 500;

/** @throws Error whose message is the one Flecto's Manager gives */
export function parseAgentReport(text: string): ReadReport {
  const fields = readFields(text);
  const report = {
    name: stringOf(fields, "name"),
    status: stringOf(fields, "status"),
    type: stringOf(fields, "type"),
    version: integerOf(fields, "version"),
    load_duration: durationOf(fields.get("load_duration")),
    error: [...stringOf(fields, "error")].slice(0, maxErrorCharacters).join(""),
  };
  if (!codePattern.test(report.name))
    throw new Error("invalid agent name: only alphanumeric characters, underscores and hyphens are allowed");
  if (!["default", "traefik"].includes(report.type)) throw new Error(`invalid agent type: ${report.type}`);
  if (!["success", "error", ""].includes(report.status))
    throw new Error(`invalid agent status: ${report.status}`);
  if (report.version === 0) throw new Error("agent version is required");
  return report;
}

interface Field {
  readonly value: unknown;
  /** How a number was written. */
  readonly source: string;
}

/** Keys whatever their case, as Go's decoder reads them; nothing, or null, is a report that says nothing. */
function readFields(text: string): Map<string, Field> {
  const sources = new Map<object, Map<string, string>>();
  function note(this: object, key: string, read: unknown, context?: { source?: string }): unknown {
    if (typeof read === "number") {
      const known = sources.get(this) ?? new Map<string, string>();
      sources.set(this, known.set(key, context?.source ?? String(read)));
    }
    return read;
  }
  let value: unknown;
  try {
    value = text.trim() === "" ? {} : (JSON.parse(text, note) ?? {});
  } catch (error) {
    throw badRequest(error instanceof Error ? error.message : String(error));
  }
  if (typeof value !== "object" || Array.isArray(value)) throw badRequest("expected an object");
  const numbers = sources.get(value as object);
  return new Map(
    Object.entries(value as object).map(([key, read]) => [
      key.toLowerCase(),
      { value: read as unknown, source: numbers?.get(key) ?? "" },
    ]),
  );
}

function stringOf(fields: Map<string, Field>, name: string): string {
  const value = fields.get(name)?.value ?? "";
  if (typeof value !== "string") throw typeError("string", typeof value, name);
  return value;
}

function integerOf(fields: Map<string, Field>, name: string): number {
  const field = fields.get(name);
  if (field === undefined || field.value === null) return 0;
  const isInteger =
    typeof field.value === "number" && /^-?\d+$/.test(field.source) && Number.isSafeInteger(field.value);
  if (!isInteger)
    throw typeError(
      "int",
      typeof field.value === "number" ? `number ${field.source}` : typeof field.value,
      name,
    );
  return field.value as number;
}

/** Nanoseconds from an integer or from a duration as Go writes it. */
function durationOf(field: Field | undefined): number {
  if (field === undefined) return 0;
  const { value, source } = field;
  if (typeof value === "number" && /^-?\d+$/.test(source)) return clamp(value);
  if (typeof value !== "string") throw badRequest("invalid duration");
  if (value === "0") return 0;
  if (!durationPattern.test(value)) throw badRequest(`time: invalid duration ${JSON.stringify(value)}`);
  let total = 0;
  for (const [, amount, unit = ""] of value.matchAll(/([\d.]+)([a-zµμ]+)/g))
    total += Number(amount) * (units[unit] ?? 0);
  return clamp(Math.round(value.startsWith("-") ? -total : total));
}

const clamp = (value: number): number =>
  Math.max(-Number.MAX_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value));

const typeError = (expected: string, got: string, field: string): Error =>
  new Error(
    `code=400, message=Unmarshal type error: expected=${expected}, got=${got}, field=${field}, internal=json: cannot unmarshal ${got} into Go struct field .${field} of type ${expected}`,
  );

const badRequest = (reason: string): Error => new Error(`code=400, message=${reason}, internal=${reason}`);
