/** A field of an object by its name in any case, as .NET reads JSON; the last of several. Undefined when there is none. */
export function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null) return undefined;
  const wanted = name.toLowerCase();
  let found: unknown;
  for (const [key, each] of Object.entries(value)) if (key.toLowerCase() === wanted) found = each;
  return found;
}
