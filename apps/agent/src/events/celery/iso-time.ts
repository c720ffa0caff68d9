const iso =
  /^(\d{4})(?:-?(\d\d)(?:-?(\d\d))?)?(?:[Tt ](\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?([Zz]|[+-]\d\d(?::?\d\d)?)?)?$/;

/**
 * Milliseconds since 1970 of a time in ISO 8601, cut off, not rounded. A time without offset is the local time of this
 * machine. Undefined when it is none.
 */
export function parseIsoTime(text: string): number | undefined {
  const match = iso.exec(text);
  if (match === null) return undefined;
  const [
    ,
    years,
    months = "01",
    days = "01",
    hours = "00",
    minutes = "00",
    seconds = "00",
    fraction = "",
    zone,
  ] = match;
  const [year, month, day] = [Number(years), Number(months), Number(days)];
  const [hour, minute, second] = [Number(hours), Number(minutes), Number(seconds)];
  const microseconds = Number(fraction.slice(0, 6).padEnd(6, "0"));
  const isMidnight = hour === 24 && minute === 0 && second === 0 && microseconds === 0;
  if (year === 0 || (hour > 23 && !isMidnight) || minute > 59 || second > 59) return undefined;
  const date = new Date(0);
  if (zone === undefined) {
    date.setFullYear(year, month - 1, day);
    if (date.getMonth() !== month - 1 || date.getDate() !== day) return undefined;
    date.setHours(hour, minute, second, 0);
    return Math.trunc((date.getTime() / 1000 + microseconds / 1e6) * 1000);
  }
  date.setUTCFullYear(year, month - 1, day);
  if (date.getUTCMonth() !== month - 1 || date.getUTCDate() !== day) return undefined;
  date.setUTCHours(hour, minute, second, 0);
  const offset = offsetSeconds(zone);
  if (offset === undefined) return undefined;
  // As Python divides: the whole in microseconds first.
  return Math.trunc(((date.getTime() * 1000 - offset * 1e6 + microseconds) / 1e6) * 1000);
}

function offsetSeconds(zone: string): number | undefined {
  if (zone === "Z" || zone === "z") return 0;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(3).replace(":", "") || "0");
  if (minutes >= 1440 || Number(zone.slice(-2)) > 59) return undefined;
  return minutes * (zone.startsWith("-") ? -60 : 60);
}
