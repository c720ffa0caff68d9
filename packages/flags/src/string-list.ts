import * as z from "zod";

const schema = z.array(z.string().nullable()).nullable();

/** A JSON list of texts; null for the JSON text `null`; undefined for what .NET would refuse. Nulls equal no text. */
export function parseStringList(json: string): readonly string[] | null | undefined {
  try {
    const list = schema.safeParse(JSON.parse(json));
    return list.success ? (list.data?.filter((text) => text !== null) ?? null) : undefined;
  } catch {
    return undefined;
  }
}
