/** The proxies that `proxy.bench.ts` compares: one process on one core each, keep-alive to the same backend. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Item, Redirect } from "@posthouse/protocol";
import { startAgent } from "@posthouse/testkit/peer-agent";
import { type PeerProcess, startPeer } from "@posthouse/testkit/peer-process";
import { freePort, needPackage, startHaproxy, startNginx } from "@posthouse/testkit/services";

export type Server = PeerProcess & { readonly port: number };

export interface ServerOptions {
  readonly core: number | undefined;
  readonly backendPort: number;
  /** Files of a certificate and its key, and of both in one; without them it speaks plain HTTP. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly both: string } | undefined;
  /** Folder where each writes a line for every request; without it nobody logs. */
  readonly logFolder?: string | undefined;
}

export interface ServerKind {
  readonly name: "Posthouse" | "nginx" | "HAProxy" | "Caddy";
  readonly package: readonly [debianPackage: string, binary: string] | undefined;
  start(path: string, options: ServerOptions): Promise<Server>;
}

/** What every one answers by itself. */
export const redirect: Redirect = {
  type: "BASIC",
  source: "/old",
  target: "/new",
  status: "MOVED_PERMANENT",
};

const items: readonly Item[] = [{ id: 1, kind: "redirect", ...redirect }];

export const kinds: readonly ServerKind[] = [
  { name: "Posthouse", package: undefined, start: (_, options) => startPosthouse(options) },
  { name: "nginx", package: ["nginx-light", "nginx"], start: startNginxProxy },
  { name: "HAProxy", package: ["haproxy", "haproxy"], start: startHaproxyProxy },
  { name: "Caddy", package: ["caddy", "caddy"], start: startCaddyProxy },
];

/** Its program, or why there is none. */
export function needServer({ package: wanted }: ServerKind): ReturnType<typeof needPackage> {
  return wanted === undefined ? Promise.resolve({ path: "" }) : needPackage(...wanted);
}

function startPosthouse({ core, backendPort, tls, logFolder }: ServerOptions): Promise<Server> {
  return startAgent({
    items,
    core,
    host: { forward: `http://127.0.0.1:${backendPort}`, preserve_host: true },
    site: {
      ...(tls && { tls: { certificates: [{ cert: tls.cert, key: tls.key }] } }),
      ...(logFolder && { access_log: { path: join(logFolder, "posthouse.log"), format: "combined" } }),
    },
  });
}

/** Bodies are streamed and never kept on disk, as with the others. */
function startNginxProxy(
  path: string,
  { core, backendPort, tls, logFolder }: ServerOptions,
): Promise<Server> {
  const http = (port: number): string => `keepalive_requests 1000000000;
upstream backend { server 127.0.0.1:${backendPort}; keepalive 256; keepalive_requests 1000000000; }
server {
  listen 127.0.0.1:${port}${tls === undefined ? "" : " ssl"};
  ${tls === undefined ? "" : `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};`}
  ${logFolder === undefined ? "" : `access_log ${join(logFolder, "nginx.log")} combined;`}
  absolute_redirect off;
  client_max_body_size 10m;
  location = ${redirect.source} { return 301 ${redirect.target}; }
  location / {
    proxy_pass http://backend;
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Host $http_host;
    proxy_set_header X-Forwarded-For $remote_addr;
    proxy_set_header X-Forwarded-Proto $scheme;
    proxy_set_header X-Forwarded-Host $http_host;
    proxy_request_buffering off;
    proxy_max_temp_file_size 0;
  }
}`;
  return startNginx({ path, http, core });
}

function startHaproxyProxy(
  path: string,
  { core, backendPort, tls, logFolder }: ServerOptions,
): Promise<Server> {
  const config = (port: number): string => `global
  nbthread 1
  maxconn 8192
  ${logFolder === undefined ? "" : "log stdout len 1024 format raw daemon"}
defaults
  mode http
  ${logFolder === undefined ? "" : "log global\n  option httplog"}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
  timeout http-keep-alive 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:${port}${tls === undefined ? "" : ` ssl crt ${tls.both}`}
  http-request redirect location ${redirect.target} code 301 if { path ${redirect.source} }
  http-request set-header X-Forwarded-Proto ${tls === undefined ? "http" : "https"}
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  option forwardfor
  default_backend back
backend back
  server one 127.0.0.1:${backendPort}
`;
  const output = logFolder && join(logFolder, "haproxy.log");
  return startHaproxy({ path, config, core, output });
}

/** It writes X-Forwarded-For, -Proto and -Host of its own accord. */
async function startCaddyProxy(
  path: string,
  { core, backendPort, tls, logFolder }: ServerOptions,
): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-caddy-"));
  const port = await freePort();
  const address = tls === undefined ? `http://:${port}` : `https://:${port}`;
  const file = join(folder, "Caddyfile");
  await writeFile(
    file,
    `{
  admin off
  auto_https off
  default_bind 127.0.0.1
  log {
    output discard
  }
}
${address} {
  ${tls === undefined ? "" : `tls ${tls.cert} ${tls.key}`}
  ${logFolder === undefined ? "" : `log {\n    output file ${join(logFolder, "caddy.log")} {\n      roll_disabled\n    }\n  }`}
  redir ${redirect.source} ${redirect.target} 301
  reverse_proxy 127.0.0.1:${backendPort} {
    transport http {
      keepalive_idle_conns_per_host 256
    }
  }
}
`,
  );
  const peer = await startPeer({
    command: path,
    args: ["run", "--config", file, "--adapter", "caddyfile"],
    port,
    core,
    env: { GOMAXPROCS: "1", HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder },
  });
  const stop = async (): Promise<number> => {
    const code = await peer.stop();
    await rm(folder, { recursive: true, force: true });
    return code;
  };
  return { ...peer, port, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
}
