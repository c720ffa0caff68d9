import { type Redirect, type RedirectStatus, redirectStatuses } from "@posthouse/protocol";

/**
 * Reads one line of a `_redirects` file: `/from /to 301`. `:name` stands for one segment, a `*` at the end for the rest,
 * which `:splat` names in the target. `undefined`: nothing on this line; a text: why it cannot be read.
 */
export function parseRedirectsLine(line: string): Redirect | string | undefined {
  const [from, ...words] = (line.split(/(?:^|\s)#/, 1)[0] ?? "").split(/\s+/).filter((word) => word !== "");
  if (from === undefined) return undefined;
  const [target, code = "301", ...rest] = words;
  if (target === undefined) return "the target is missing";
  if (/^[^/:]+=/.test(target)) return "conditions on query parameters are not offered";
  if (rest.length > 0) return `${rest[0]} is not offered`;
  const status = statusOf(code.replace(/!$/, ""));
  if (status === undefined) return `${code} is not offered; use 301, 302, 307 or 308`;
  const site = /^https?:\/\/([^/]+)(\/.*)?$/i.exec(from);
  if (site === null && !from.startsWith("/")) return "the source must start with / or http";
  const source = site === null ? from : `${site[1]}${site[2] ?? "/"}`;
  if (!/[:*]/.test(site === null ? source : (site[2] ?? ""))) {
    return { type: site === null ? "BASIC" : "BASIC_HOST", source, target, status };
  }
  return readPattern(source, target, status, site !== null);
}

function readPattern(
  source: string,
  target: string,
  status: RedirectStatus,
  withHost: boolean,
): Redirect | string {
  const names: string[] = [];
  let pattern = "^";
  for (const part of source.split(/(\/:[A-Za-z_]\w*|\/\*$)/)) {
    if (part === "/*") {
      names.push("splat");
      pattern += "(?:/(.*))?";
    } else if (part.startsWith("/:")) {
      names.push(part.slice(2));
      pattern += "/([^/?]+)";
    } else if (part.includes("*")) return "a * may stand at the end only, after a /";
    else pattern += part.replace(/[\\^$.|?*+()[\]{}]/g, "\\$&");
  }
  if (names.length > 9) return "more than nine placeholders are not offered";
  const filled = target.replace(/:([A-Za-z_]\w*)/g, (whole, name: string) => {
    const group = names.indexOf(name) + 1;
    return group === 0 ? whole : `$${group}`;
  });
  return { type: withHost ? "REGEX_HOST" : "REGEX", source: `${pattern}$`, target: filled, status };
}

function statusOf(code: string): RedirectStatus | undefined {
  return Object.entries(redirectStatuses).find(([, known]) => String(known) === code)?.[0] as
    | RedirectStatus
    | undefined;
}
