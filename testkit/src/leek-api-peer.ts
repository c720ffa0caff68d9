/** A Leek API in a process of its own, so that its work is not the bench's. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { LeekApiFigures, LeekApiOrder } from "./leek-api-process.ts";
import { pinned, readUsage, type Usage } from "./peer-process.ts";

export type { LeekApiFigures };

export interface LeekApiPeer extends AsyncDisposable {
  readonly url: string;
  figures(): Promise<LeekApiFigures>;
  /** Counts from zero again. */
  forget(): Promise<void>;
  /** While it is down every connection is reset before an answer. */
  setDown(isDown: boolean): Promise<void>;
  usage(): Promise<Usage>;
}

export async function startLeekApiPeer({ core }: { readonly core?: number } = {}): Promise<LeekApiPeer> {
  const path = fileURLToPath(new URL("./leek-api-process.ts", import.meta.url));
  const { command, args } = pinned({ command: process.execPath, args: [], core });
  const child = fork(path, {
    execPath: command,
    execArgv: [...args, "--conditions=posthouse-source", "--disable-warning=ExperimentalWarning"],
  });
  const exited = once(child, "exit");
  const [{ url }] = (await Promise.race([once(child, "message"), exited.then(ended)])) as [{ url: string }];
  let last: Promise<unknown> = Promise.resolve();

  /** One at a time: answers carry no number. */
  function order(what: LeekApiOrder): Promise<LeekApiFigures> {
    const answered = last.then(async () => {
      const answer = once(child, "message");
      child.send(what);
      const [figures] = await Promise.race([answer, exited.then(ended)]);
      return figures as LeekApiFigures;
    });
    last = answered.catch(() => {});
    return answered;
  }

  return {
    url,
    figures: () => order("figures"),
    forget: async () => void (await order("forget")),
    setDown: async (isDown) => void (await order(isDown ? "down" : "up")),
    usage: () => readUsage(child.pid ?? -1),
    async [Symbol.asyncDispose]() {
      if (child.connected) child.disconnect();
      await exited;
    },
  };
}

function ended([code, signal]: readonly unknown[]): never {
  throw new Error(`the process of the Leek API ended: ${code ?? signal}`);
}
