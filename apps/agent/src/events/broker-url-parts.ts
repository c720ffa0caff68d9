/** A URL taken apart as kombu does. What is empty or missing is undefined. */
export interface BrokerUrlParts {
  /** In lower case. */
  readonly scheme: string;
  readonly host: string | undefined;
  readonly port: number | undefined;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** Without its first slash. */
  readonly path: string | undefined;
  readonly query: ReadonlyMap<string, string>;
}

/** Takes a URL apart; a text says which rule it breaks, and holds nothing of it. */
export function splitBrokerUrl(url: string): BrokerUrlParts | string {
  const start = /^([a-z][a-z0-9+.-]*):\/\//i.exec(url);
  if (start === null) return "it must begin with a scheme, as in amqp://user:password@host:5672/vhost";
  const rest = url.slice(start[0].length);
  if (rest.includes("#")) return "a # must be written as %23";
  const end = /[/?]/.exec(rest)?.index ?? rest.length;
  const authority = rest.slice(0, end);
  const [path = "", ...query] = rest.slice(end).split("?");
  const at = authority.lastIndexOf("@");
  // `/` and `?` in a password end the authority early: its `@` is behind them then.
  if (at < 0 && authority.includes(":") && rest.slice(end).includes("@"))
    return "a / or ? in a user or password must be written as %2F or %3F";
  const user = at < 0 ? "" : authority.slice(0, at);
  const colon = user.indexOf(":");
  const where = /^(\[[0-9a-f:.]+\]|[^:[\]]*)(?::(\d*))?$/i.exec(authority.slice(at + 1));
  if (where === null)
    return "after the host only a colon and a port number may follow; an IPv6 address stands in []";
  const [, host = "", port = ""] = where;
  if (port !== "" && (Number(port) < 1 || Number(port) > 65_535)) return "the port must be 1 to 65535";
  const name = (host.startsWith("[") ? host.slice(1, -1) : percentDecode(host)).toLowerCase();
  if (/[\s\0]/.test(name)) return "the host holds a space";
  const isTwice = new Set<string>();
  const values = new Map<string, string>();
  for (const [key, value] of new URLSearchParams(query.join("?"))) {
    if (values.has(key)) isTwice.add(key);
    if (value !== "") values.set(key, value);
  }
  const [twice] = isTwice;
  if (twice !== undefined) return `the option "${twice}" is there twice`;
  return {
    scheme: (start[1] ?? "").toLowerCase(),
    host: orUndefined(name),
    port: port === "" ? undefined : Number(port),
    user: orUndefined(percentDecode(colon < 0 ? user : user.slice(0, colon))),
    password: colon < 0 ? undefined : orUndefined(percentDecode(user.slice(colon + 1))),
    path: orUndefined(percentDecode(path.replace(/^\//, ""))),
    query: values,
  };
}

function orUndefined(text: string): string | undefined {
  return text === "" ? undefined : text;
}

/** Percent-decodes UTF-8; what is no such escape stays as it is. */
function percentDecode(text: string): string {
  return text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) =>
    Buffer.from(escapes.replaceAll("%", ""), "hex").toString("utf8"),
  );
}
