import { findBadEscape, findControl } from "./url-path.ts";

export interface UrlReference {
  readonly scheme: string;
  readonly host: string;
  readonly path: string;
}

export interface UrlFault {
  readonly reason: string;
  readonly position: number;
}

/** Reads a URL reference as Go's `url.Parse` does; a fault says where the text cannot be one. */
export function readUrlReference(text: string): UrlReference | UrlFault {
  const control = findControl(text);
  if (control >= 0) return { reason: "it holds a control character", position: control };
  const hash = text.indexOf("#");
  const whole = hash < 0 ? text : text.slice(0, hash);
  if (hash >= 0) {
    const bad = findBadEscape(text.slice(hash));
    if (bad >= 0) return { reason: "% is not followed by two hexadecimal digits", position: hash + bad };
  }
  const mark = whole.indexOf("?");
  const front = mark < 0 ? whole : whole.slice(0, mark);
  if (front.startsWith(":")) return { reason: "its scheme is missing", position: 0 };
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(front)?.[1] ?? "";
  const rest = scheme === "" ? 0 : scheme.length + 1;
  const body = front.slice(rest);
  if (scheme !== "" && !body.startsWith("/")) return { scheme, host: "", path: "" };
  if (!body.startsWith("//") || (scheme === "" && body.startsWith("///"))) {
    if (scheme === "" && (body.split("/", 1)[0] ?? "").includes(":")) {
      return { reason: "its first segment holds a colon", position: body.indexOf(":") };
    }
    return withPath(scheme, "", body, rest);
  }
  const slash = body.indexOf("/", 2);
  const authority = slash < 0 ? body.slice(2) : body.slice(2, slash);
  const fault = findAuthorityFault(authority);
  if (fault !== undefined) return { reason: fault.reason, position: rest + 2 + fault.position };
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  return withPath(scheme, host, slash < 0 ? "" : body.slice(slash), rest + (slash < 0 ? body.length : slash));
}

function withPath(scheme: string, host: string, path: string, at: number): UrlReference | UrlFault {
  const bad = findBadEscape(path);
  if (bad >= 0) return { reason: "% is not followed by two hexadecimal digits", position: at + bad };
  return { scheme, host, path };
}

function findAuthorityFault(authority: string): UrlFault | undefined {
  const at = authority.lastIndexOf("@") + 1;
  const user = authority.slice(0, Math.max(at - 1, 0));
  const badUser = user.search(/[^A-Za-z0-9\-._:~!$&'()*+,;=%@]/);
  if (badUser >= 0)
    return { reason: "its user name holds a character that may not stand there", position: badUser };
  const host = authority.slice(at);
  const bad = host.search(/[\s\\^`{|}%/?#@]/);
  if (bad >= 0 && !/^%[89A-Fa-f][0-9A-Fa-f]/.test(host.slice(bad))) {
    return { reason: "its host holds a character that may not stand there", position: at + bad };
  }
  if (host.startsWith("[")) {
    const end = host.lastIndexOf("]");
    if (end < 0) return { reason: "the ] of its host is missing", position: at };
    if (!/^(:[0-9]*)?$/.test(host.slice(end + 1)))
      return { reason: "its port is not a number", position: at + end + 1 };
    return undefined;
  }
  const colon = host.indexOf(":");
  if (colon >= 0 && !/^:[0-9]*$/.test(host.slice(host.lastIndexOf(":")))) {
    return { reason: "its port is not a number", position: at + colon };
  }
  return undefined;
}
