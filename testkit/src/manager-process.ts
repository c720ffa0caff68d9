import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "./posthouse-process.ts";

/** A real Manager process, with somebody logged in. */
export interface ManagerProcess extends AsyncDisposable {
  readonly url: string;
  readonly process: PosthouseProcess;
  readonly databasePath: string;
  /** Secret of the session; may do everything. */
  readonly session: string;
  /** Calls the management API, below `/api/v1`. Throws when the answer is no success. */
  api<T>(method: string, path: string, body?: unknown): Promise<T>;
}

export interface ManagerProcessOptions {
  /** Where its files are; made when missing. */
  readonly folder: string;
  /** Of a database that has its administrator already. */
  readonly session?: string;
}

/** Starts `posthouse manager` on the database `FOLDER/manager.db` and logs in, unless there is a session already. */
export async function startManagerProcess(options: ManagerProcessOptions): Promise<ManagerProcess> {
  const { folder } = options;
  await mkdir(folder, { recursive: true });
  const databasePath = join(folder, "manager.db");
  const config = join(folder, "manager.yaml");
  await writeFile(config, JSON.stringify({ listen: "127.0.0.1:0", database: { path: databasePath } }));
  const process = startPosthouse(["manager", "-c", config]);
  const [, url = ""] = await process.printed(/"url":"(http[^"]+)".*the Manager listens/, 30_000);
  const login = async (): Promise<string> => {
    const [, password = ""] = await process.printed(/one-time password (\S+)/);
    const newPassword = "a long and winding pass phrase";
    const answer = await fetch(`${url}/api/v1/sessions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ username: "admin", password, newPassword }),
    });
    return ((await answer.json()) as { token: string }).token;
  };
  const session = options.session ?? (await login());
  return {
    url,
    process,
    databasePath,
    session,
    async api<T>(method: string, path: string, body?: unknown) {
      const answer = await fetch(`${url}/api/v1${path}`, {
        method,
        headers: {
          authorization: `Bearer ${session}`,
          ...(body === undefined ? {} : { "content-type": "application/json" }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return (text === "" ? undefined : JSON.parse(text)) as T;
    },
    async [Symbol.asyncDispose]() {
      process.signal("SIGKILL");
      await process.exited;
    },
  };
}
