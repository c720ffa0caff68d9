import { createReadStream } from "node:fs";
import { Agent, type IncomingMessage, request } from "node:http";
import { createInterface } from "node:readline";
import { createGunzip } from "node:zlib";
import { redirectStatuses } from "@posthouse/protocol";

export interface ReplayResult {
  readonly asked: number;
  readonly right: number;
  /** The first few wrong answers, in words. */
  readonly wrong: readonly string[];
}

const wrongShown = 10;

/**
 * Asks a site for every `BASIC` and `BASIC_HOST` source of a redirect list (`.tsv` or `.tsv.gz`) and compares status and
 * Location with the row. `origin` is `http://127.0.0.1:PORT`.
 */
export async function replayRedirects(file: string, origin: string, connections = 32): Promise<ReplayResult> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections });
  const rows = readRows(file);
  let asked = 0;
  let right = 0;
  const wrong: string[] = [];
  const worker = async (): Promise<void> => {
    for (;;) {
      const { value: row, done } = await rows.next();
      if (done === true) return;
      const [type = "", source = "", target = "", statusName = ""] = row;
      const slash = source.indexOf("/");
      const host = type === "BASIC_HOST" ? source.slice(0, slash) : "example.com";
      const status = redirectStatuses[statusName as keyof typeof redirectStatuses];
      const answer = await ask(origin, host, source.slice(slash), agent);
      asked += 1;
      if (answer.status === status && answer.location === target) right += 1;
      else if (wrong.length < wrongShown) {
        wrong.push(`${source}: ${answer.status} ${answer.location}, expected ${status} ${target}`);
      }
    }
  };
  try {
    await Promise.all(Array.from({ length: connections }, worker));
  } finally {
    agent.destroy();
  }
  return { asked, right, wrong };
}

async function* readRows(file: string): AsyncGenerator<string[]> {
  const raw = createReadStream(file);
  const input = file.endsWith(".gz") ? raw.pipe(createGunzip()) : raw;
  let header = true;
  for await (const line of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    const row = line.split("\t");
    if (!header && (row[0] === "BASIC" || row[0] === "BASIC_HOST")) yield row;
    header = false;
  }
}

function ask(
  origin: string,
  host: string,
  path: string,
  agent: Agent,
): Promise<{ status: number; location: string }> {
  const { hostname, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    const outgoing = request(
      { hostname, port, path, headers: { host }, agent, timeout: 10_000 },
      (response: IncomingMessage) => {
        response.resume();
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, location: response.headers.location ?? "" }),
        );
      },
    );
    outgoing.on("timeout", () => outgoing.destroy(new Error(`no answer for ${host}${path} within 10 s`)));
    outgoing.on("error", reject);
    outgoing.end();
  });
}
