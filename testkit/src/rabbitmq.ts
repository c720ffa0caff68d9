import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { type PeerProcess, startPeer } from "./peer-process.ts";
import { type Found, freePort, needPackage } from "./services.ts";

export interface RabbitMqOptions {
  /** Lines of its rabbitmq.conf beside those of its address. */
  readonly config?: readonly string[];
  /** Such as `rabbitmq_management`. Default none. */
  readonly plugins?: readonly string[];
}

/** A RabbitMQ of our own: its own node, folder, ports and epmd, on loopback only. */
export interface RabbitMq extends AsyncDisposable {
  readonly port: number;
  /** Its folder, for further files. */
  readonly folder: string;
  /** Of the user guest. */
  url(vhost?: string): string;
  /** What rabbitmqctl prints. Takes a second or more. */
  ctl(...args: string[]): Promise<string>;
  /** Ends it as an operator would; its data stay. */
  stop(): Promise<void>;
  /** Ends it with SIGKILL; its data stay. */
  kill(): Promise<void>;
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>;
}

const binaries = "/usr/lib/rabbitmq/bin";
const startMs = 120_000;
const ctlMs = 60_000;

export function needRabbitMq(): Promise<Found> {
  return needPackage("rabbitmq-server", "rabbitmqctl");
}

export async function startRabbitMq(options: RabbitMqOptions = {}): Promise<RabbitMq> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-rabbitmq-"));
  const [port, distribution, epmdPort] = [await freePort(), await freePort(), await freePort()];
  const config = [
    `listeners.tcp.1 = 127.0.0.1:${port}`,
    "log.console = true",
    "log.console.level = info",
    "log.file = false",
    ...(options.config ?? []),
  ];
  const environment = {
    HOME: folder,
    // Names that are not ASCII come through only so.
    LC_ALL: "C.UTF-8",
    RABBITMQ_NODENAME: `posthouse${port}@localhost`,
    RABBITMQ_DIST_PORT: String(distribution),
    RABBITMQ_MNESIA_BASE: join(folder, "data"),
    RABBITMQ_LOG_BASE: join(folder, "log"),
    RABBITMQ_ENABLED_PLUGINS_FILE: join(folder, "enabled_plugins"),
    RABBITMQ_CONFIG_FILE: join(folder, "rabbitmq.conf"),
    RABBITMQ_GENERATED_CONFIG_DIR: join(folder, "generated"),
    RABBITMQ_PID_FILE: join(folder, "pid"),
    ERL_EPMD_ADDRESS: "127.0.0.1",
    ERL_EPMD_PORT: String(epmdPort),
    ERL_CRASH_DUMP_SECONDS: "0",
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS:
      "-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
    // Makes the script become the server, so that signals meet the server.
    RUNNING_UNDER_SYSTEMD: "1",
  };
  let epmd: PeerProcess | undefined;
  let server: PeerProcess | undefined;
  /** The node takes connections a moment before it takes commands. */
  let takesCommands = false;

  async function command(...args: readonly string[]): Promise<string> {
    const env = { ...process.env, ...environment, NODE_OPTIONS: "" };
    const { stdout } = await promisify(execFile)(join(binaries, "rabbitmqctl"), [...args], {
      env,
      timeout: ctlMs,
    });
    return stdout;
  }

  async function start(): Promise<void> {
    if (server !== undefined) return;
    const program = join(binaries, "rabbitmq-server");
    server = await startPeer({ command: program, args: [], port, env: environment, deadlineMs: startMs });
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    const ending = server;
    server = undefined;
    takesCommands = false;
    if (signal === "SIGKILL") ending?.signal(signal);
    await ending?.stop();
  }

  async function dispose(): Promise<void> {
    await end("SIGKILL");
    await epmd?.stop();
    await rm(folder, { recursive: true, force: true, maxRetries: 3 });
  }

  try {
    await mkdir(join(folder, "log"));
    await writeFile(join(folder, "rabbitmq.conf"), `${config.join("\n")}\n`);
    await writeFile(join(folder, "enabled_plugins"), `[${(options.plugins ?? []).join(",")}].\n`);
    // Ours, in the foreground: the one that a node starts itself would outlive it.
    epmd = await startPeer({
      command: "epmd",
      args: ["-address", "127.0.0.1", "-port", String(epmdPort)],
      port: epmdPort,
    });
    await start();
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    port,
    folder,
    url: (vhost = "/") => `amqp://guest:guest@127.0.0.1:${port}/${encodeURIComponent(vhost)}`,
    async ctl(...args) {
      if (!takesCommands) await command("await_startup");
      takesCommands = true;
      return command(...args);
    },
    stop: () => end("SIGTERM"),
    kill: () => end("SIGKILL"),
    start,
    [Symbol.asyncDispose]: dispose,
  };
}
