const isoTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d+)?)?(Z|[+-]\d\d:\d\d)?$/;

/** An ISO date and time as milliseconds, rounded down; without a zone it is in UTC. Undefined for anything else. */
export function parseTimestamp(text: string): number | undefined {
  const zone = isoTime.exec(text);
  if (zone === null) return undefined;
  const time = Date.parse(zone[1] === undefined ? `${text}Z` : text);
  return Number.isNaN(time) ? undefined : time;
}
