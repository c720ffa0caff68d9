import type { Note } from "./finding.ts";
import type { Path } from "./located-yaml.ts";
import type { RedirectionioAgent, RedirectionioProxy } from "./redirectionio-options.ts";

/** Tells of every key that is set and has no meaning here, is not built yet, or means something else. */
export function noteDifferences(options: RedirectionioAgent, note: Note): void {
  const tell = (path: Path, message: string): void => note("warning", path, message);
  for (const [key, why] of Object.entries(agentKeys)) {
    if (Object.hasOwn(options, key)) tell([key], why);
  }
  const { instance_name: name, persist, datadir, metrics, log, proxies = [] } = options;
  if ((name ?? "") === "") tell(["instance_name"], "is missing: the agent takes the host's name");
  tellRelative(datadir, ["datadir"], tell);
  if (persist !== undefined && persist !== true) tell(["persist"], persistWhy);
  if ((datadir ?? "") !== "")
    tell(["datadir"], "became state, in a folder of its own; what it holds is not read");
  if (metrics?.listen) tellMetrics(metrics.listen, metrics.format ?? "json", tell);
  else if (metrics?.format !== undefined)
    tell(["metrics", "format"], "is not used there either: metrics.listen is not set");
  if (log?.file !== undefined)
    tell(["log", "file"], `${notBuilt}: the log goes to standard output; have it sent to a file from there`);
  if (log?.syslog !== undefined)
    tell(
      ["log", "syslog"],
      `${notBuilt}: the log goes to standard output, which systemd's journal or logger passes on`,
    );
  if (log?.stderr !== undefined) tellFewerLevels(log, tell);
  if (proxies.length === 0)
    tell(["proxies"], `no proxy is set, so the agent answers nothing: web-server modules are ${notBuilt}`);
  for (const [index, proxy] of proxies.entries()) tellProxy(proxy, ["proxies", index], tell);
}

type Tell = (path: Path, message: string) => void;

const notBuilt = "not built yet";
const without = "no meaning here";

const persistWhy = `${without}: copies of rules are always kept on disk; let state be a folder in memory to keep none`;

const agentKeys = {
  listen: `${notBuilt}: web-server modules cannot ask this agent; have requests come through a site`,
  logging: `${without}: no platform keeps requests; access_log writes them down`,
  test_mode: `${without}: it is a mark of instances on redirection.io's platform`,
  cache: `${without} until sites have projects; then projects.NAME.limits.compiled_patterns is its like`,
  timeout: `${without}: it is for calls of redirection.io's platform; a Manager is asked with limits of its own`,
  project_keys: `${notBuilt}: rules by project key; a project's rules come from a Manager or a file`,
  host: `${without}: redirection.io's platform is not asked; projects.NAME.manager.url is a Manager's address`,
};

function tellMetrics(listen: string, format: string, tell: Tell): void {
  const path: Path = ["metrics", "listen"];
  if (!/^(\/|127\.|localhost:|\[::1\])/.test(listen))
    tell(
      path,
      "became admin.listen, which shows status and hits too and may be reached by others: set admin.token",
    );
  if (format === "prometheus") return;
  const where: Path = ["metrics", "format"];
  tell(where, `json is ${notBuilt}: GET /metrics of admin gives Prometheus text, with names of its own`);
}

function tellFewerLevels({ stderr, file, syslog }: NonNullable<RedirectionioAgent["log"]>, tell: Tell): void {
  if (stderr?.level === undefined) return;
  for (const [key, other] of Object.entries({ file, syslog })) {
    if (other?.level === undefined || other.level === stderr.level) continue;
    tell(["log", key, "level"], `there is one level, that of log.stderr: ${stderr.level}`);
  }
}

function tellProxy(proxy: RedirectionioProxy, path: Path, tell: Tell): void {
  const at = (key: string): Path => [...path, key];
  if (proxy.project_key === undefined)
    tell(at("project_key"), "is missing, without which redirection.io's agent has no rules");
  else
    tell(
      at("project_key"),
      `${notBuilt}: rules by project key. Requests are forwarded without rules until hosts[0].project names one of projects`,
    );
  if (proxy.add_rule_ids_header !== undefined && proxy.add_rule_ids_header !== false)
    tell(
      at("add_rule_ids_header"),
      `${notBuilt}: X-RedirectionIo-RuleIds; the request header Posthouse-Explain tells the rule`,
    );
  if (proxy.allow_ipv6_forward !== undefined && proxy.allow_ipv6_forward !== true)
    tell(
      at("allow_ipv6_forward"),
      `${without}: a backend is asked over IPv4 or IPv6; name its IPv4 address to keep to that`,
    );
  for (const key of ["tls_cert_file", "tls_key_file"] as const) tellRelative(proxy[key], at(key), tell);
  if ((proxy.forward ?? "") === "") tellUnused(proxy, at, tell);
  else tellForward(proxy, at, tell);
}

function tellRelative(file: string | undefined, path: Path, tell: Tell): void {
  if (file === undefined || /^(\/|\$\{|$)/.test(file)) return;
  tell(path, "is taken from the folder of the configuration here, not from the working directory");
}

/** Without a backend these do nothing, there and here. */
function tellUnused(proxy: RedirectionioProxy, at: (key: string) => Path, tell: Tell): void {
  for (const key of ["request_body_size_limit", "timeout", "allow_invalid_certificates"] as const) {
    if (proxy[key] !== undefined) tell(at(key), "does nothing without forward, there and here");
  }
}

function tellForward(proxy: RedirectionioProxy, at: (key: string) => Path, tell: Tell): void {
  const { request_body_size_limit: limit } = proxy;
  if (limit !== undefined)
    tell(
      at("request_body_size_limit"),
      `became max_body, which is for every body: there only bodies that had to be kept were counted, and uploads with Content-Length passed at any size. Larger ones get 413 here`,
    );
  const waits = "first_byte and idle of 60s";
  if (proxy.timeout === 0) tell(at("timeout"), `is without limit there; here it has ${waits}`);
  const limits = [
    ...(proxy.timeout === undefined ? [waits] : []),
    ...(limit === undefined ? ["max_body of 100MiB"] : []),
    "min_body_rate of 500B",
  ];
  tell(at("forward"), `has limits here that it had not: ${limits.join(", ")}`);
}
