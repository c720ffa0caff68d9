/** Ten thousand SDKs in a process of their own, so that their work is not the test's. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { pinned } from "../peer-process.ts";
import type { SwarmCommands, SwarmReply } from "./swarm-protocol.ts";

export { steadyNow } from "./swarm-protocol.ts";

type Call<K extends keyof SwarmCommands> = (
  ...args: Parameters<SwarmCommands[K]>
) => Promise<ReturnType<SwarmCommands[K]>>;

/** The commands of `swarm-protocol.ts`. Each rejects when the swarm's process has ended. */
export type Swarm = { readonly [K in keyof SwarmCommands]: Call<K> } & AsyncDisposable & {
    readonly pid: number;
  };

export interface SwarmOptions {
  /** Keeps the swarm on this processor, where `taskset` exists. */
  readonly core?: number;
}

export async function startSwarm({ core }: SwarmOptions = {}): Promise<Swarm> {
  const path = fileURLToPath(new URL("./swarm-process.ts", import.meta.url));
  const { command, args } = pinned({ command: process.execPath, args: [], core });
  const child = fork(path, {
    execPath: command,
    execArgv: [...args, "--disable-warning=ExperimentalWarning"],
  });
  await once(child, "spawn");
  const waiting = new Map<number, PromiseWithResolvers<unknown>>();
  child.on("message", ({ id, result, error }: SwarmReply) => {
    const call = waiting.get(id);
    waiting.delete(id);
    if (error === undefined) call?.resolve(result);
    else call?.reject(new Error(error));
  });
  const exited = new Promise<void>((resolve) => {
    child.on("exit", (code, signal) => {
      for (const call of waiting.values()) call.reject(new Error(`the swarm ended: ${code ?? signal}`));
      waiting.clear();
      resolve();
    });
  });

  let lastId = 0;
  const call =
    <K extends keyof SwarmCommands>(name: K): Call<K> =>
    (...args) => {
      const id = ++lastId;
      const promise = Promise.withResolvers<unknown>();
      waiting.set(id, promise);
      child.send({ id, name, args }, (error) => error && promise.reject(error));
      return promise.promise as ReturnType<Call<K>>;
    };
  return {
    pid: child.pid ?? -1,
    connect: call("connect"),
    awaitSynced: call("awaitSynced"),
    awaitVersion: call("awaitVersion"),
    freeze: call("freeze"),
    droppedFrozen: call("droppedFrozen"),
    reconnect: call("reconnect"),
    report: call("report"),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}
