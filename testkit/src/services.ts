import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type PeerProcess, startPeer } from "./peer-process.ts";

/** Where a program of a Debian package is, or why there is none. */
export type Found = { readonly path: string } | { readonly missing: string };

const folders = ["/usr/sbin", "/usr/bin", "/usr/local/sbin", "/usr/local/bin", "/sbin", "/bin"];

function findProgram(binary: string): string | undefined {
  for (const folder of [...(process.env.PATH ?? "").split(":"), ...folders]) {
    const path = join(folder, binary);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {}
  }
  return undefined;
}

/**
 * Finds a program, installing its Debian package when we may (root, apt-get). The service that comes with the package is
 * not started. Without the program the caller says `missing` aloud and goes on without.
 */
export function needPackage(debianPackage: string, binary: string): Promise<Found> {
  return needInstalled([debianPackage], binary, () => findProgram(binary));
}

/** The same for what is no program: `find` says where it is. */
export async function needInstalled(
  debianPackages: readonly string[],
  name: string,
  find: () => string | undefined,
): Promise<Found> {
  const present = find();
  if (present !== undefined) return { path: present };
  const wanted = `${name} is not installed (Debian package ${debianPackages.join(", ")})`;
  if (process.getuid?.() !== 0 || findProgram("apt-get") === undefined) {
    return { missing: `${wanted}, and only root on Debian could install it here` };
  }
  const policy = await forbidServiceStarts();
  try {
    const install = (): string | undefined => aptGet("install", ...debianPackages);
    const failed = install() && (aptGet("update") || install());
    const path = find();
    return path !== undefined && !failed
      ? { path }
      : { missing: `${wanted}: ${failed ?? "still not found"}` };
  } finally {
    await policy[Symbol.asyncDispose]();
  }
}

/** Undefined when it went well, else what apt-get said last. */
function aptGet(...args: string[]): string | undefined {
  process.stderr.write(`apt-get ${args.join(" ")} …\n`);
  const { status, stdout, stderr } = spawnSync("apt-get", ["-y", "-qq", "--no-install-recommends", ...args], {
    encoding: "utf8",
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    timeout: 300_000,
  });
  return status === 0 ? undefined : (`${stdout}${stderr}`.trim().split("\n").at(-1) ?? "apt-get failed");
}

const policyFile = "/usr/sbin/policy-rc.d";

/** While it stands, Debian's packages do not start what they install. An existing policy is left alone. */
async function forbidServiceStarts(): Promise<AsyncDisposable> {
  const ours = await writeFile(policyFile, "#!/bin/sh\nexit 101\n", { flag: "wx" }).then(
    () => true,
    () => false,
  );
  if (ours) await chmod(policyFile, 0o755);
  return { [Symbol.asyncDispose]: async () => void (ours && (await rm(policyFile, { force: true }))) };
}

const given = new Set<number>();

/** A port of 127.0.0.1 that was free a moment ago; each is given once, although the system may name it again. */
export async function freePort(): Promise<number> {
  let port = await anyPort();
  while (given.has(port)) port = await anyPort();
  given.add(port);
  return port;
}

function anyPort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      const port = typeof address === "object" && address !== null ? address.port : 0;
      server.close(() => resolve(port));
    });
  });
}

export interface NginxOptions {
  /** Path of the program, from `needPackage("nginx-light", "nginx")`. */
  readonly path: string;
  /** What stands in the `http` block, given the port to listen on (of 127.0.0.1) and the folder of this server. */
  http(port: number, folder: string): string;
  /** Further files of its folder, by name. */
  readonly files?: Readonly<Record<string, string>>;
  readonly core?: number | undefined;
}

export interface Nginx extends PeerProcess {
  readonly port: number;
}

/** Starts an nginx of our own: one worker, its own folder and port, nothing of the system's configuration. */
export async function startNginx(options: NginxOptions): Promise<Nginx> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-nginx-"));
  try {
    // Its workers run as another user and must reach the folder.
    await chmod(folder, 0o755);
    const port = await freePort();
    await writeFile(join(folder, "nginx.conf"), mainConfig(folder, options.http(port, folder)));
    for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(folder, name), text);
    const args = ["-p", folder, "-c", join(folder, "nginx.conf"), "-e", "stderr"];
    const peer = await startPeer({ command: options.path, args, port, core: options.core });
    const stop = async (): Promise<number> => {
      const code = await peer.stop();
      await rm(folder, { recursive: true, force: true });
      return code;
    };
    return { ...peer, port, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

export interface HaproxyOptions {
  /** Path of the program, from `needPackage("haproxy", "haproxy")`. */
  readonly path: string;
  /** The configuration, given the port to listen on (of 127.0.0.1). */
  config(port: number): string;
  readonly core?: number | undefined;
  /** File for its standard output, where it can be told to log. */
  readonly output?: string | undefined;
}

/** Starts an HAProxy of our own: one process in the foreground, its own configuration and port. */
export async function startHaproxy(
  options: HaproxyOptions,
): Promise<PeerProcess & { readonly port: number }> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-haproxy-"));
  try {
    const port = await freePort();
    const file = join(folder, "haproxy.cfg");
    await writeFile(file, options.config(port));
    const { path, output } = options;
    const peer = await startPeer({
      ...(output === undefined
        ? { command: path, args: ["-db", "-f", file] }
        : { command: "sh", args: ["-c", 'exec "$0" -db -f "$1" >"$2"', path, file, output] }),
      port,
      core: options.core,
    });
    const stop = async (): Promise<number> => {
      const code = await peer.stop();
      await rm(folder, { recursive: true, force: true });
      return code;
    };
    return { ...peer, port, stop, [Symbol.asyncDispose]: async () => void (await stop()) };
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }
}

function mainConfig(folder: string, http: string): string {
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (kind) => `${kind}_temp_path ${folder}/${kind};`,
  );
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
${temporary.join("\n")}
access_log off;
${http}
}
`;
}
