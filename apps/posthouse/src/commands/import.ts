import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { Readable, Transform } from "node:stream";
import type { Command } from "../command.ts";
import { commandErrors } from "../errors.ts";
import { createManagerApi, reasonOf } from "../manager-api.ts";
import { createProgress } from "../progress.ts";
import { readToken } from "../token-file.ts";

interface ImportResult {
  readonly totalLines: number;
  readonly importedCount: number;
  readonly skippedCount: number;
  readonly errorCount: number;
  readonly errors: readonly {
    readonly line: number;
    readonly source?: string;
    readonly reason: string;
    readonly message: string;
  }[];
}

interface PublishResult {
  readonly version: number;
  readonly redirects: { readonly created: number; readonly updated: number; readonly deleted: number };
}

/** A format's name and the content type by which the Manager knows it. */
const formats: Readonly<Record<string, string>> = { tsv: "text/tab-separated-values" };
const errorsShown = 20;

export const importCommand: Command = {
  name: "import",
  summary: "Imports a list of redirects into a project of a Manager, as drafts, or published at once.",
  positionals: [
    {
      name: "FORMAT",
      help: `${Object.keys(formats).join(", ")}: type, source, target, status, with a header line`,
    },
    { name: "FILE", help: "the list, plain or .gz" },
  ],
  options: {
    project: { value: "NS/PROJECT", help: "needed: where to" },
    manager: { value: "URL", default: "http://127.0.0.1:8080", help: "the Manager" },
    state: {
      value: "DIR",
      default: "./.posthouse",
      help: "state directory of `posthouse up`, for its token",
    },
    publish: { help: "publish when the list is in" },
    keep: { help: "leave redirects alone that exist already (reported as errors)" },
  },
  examples: [
    "posthouse import tsv redirects.tsv.gz --project demo/site --publish",
    "POSTHOUSE_TOKEN=flecto_… posthouse import tsv list.tsv --manager https://manager.example.com --project production/shop",
  ],
  async run(args) {
    const [format = "", file = ""] = args.positionals;
    const contentType = formats[format];
    if (contentType === undefined) {
      throw commandErrors.create("FORMAT_UNKNOWN", { format, known: Object.keys(formats).join(", ") });
    }
    const project = parseProject(args.required("project"));
    const api = createManagerApi(args.required("manager"), await readToken(args.required("state")));
    const size = await sizeOf(file);

    const base = `/namespaces/${project.namespace}/projects/${project.project}`;
    const progress = createProgress(process.stderr, `importing ${file}`, size);
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        progress.add(chunk.length);
        done(null, chunk);
      },
    });
    const source = createReadStream(file);
    source.on("error", (error) => counter.destroy(error));
    const body = Readable.toWeb(source.pipe(counter)) as ReadableStream<Uint8Array>;
    const headers: Record<string, string> = { "content-type": contentType };
    if (file.endsWith(".gz")) headers["content-encoding"] = "gzip";
    let result: ImportResult;
    try {
      result = await api.upload<ImportResult>(
        `${base}/import?overwrite=${!args.flag("keep")}`,
        body,
        headers,
      );
    } finally {
      progress.end();
    }
    printResult(result, progress.seconds());
    if (args.flag("publish") && result.importedCount > 0) {
      const startedAt = performance.now();
      const { version, redirects } = await api.send<PublishResult>("POST", `${base}/publish`);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      process.stdout.write(
        `published version ${version} in ${seconds} s: ${redirects.created} new, ${redirects.updated} changed, ${redirects.deleted} deleted\n`,
      );
    }
    return result.errorCount === 0 ? 0 : 1;
  },
};

function parseProject(text: string): { namespace: string; project: string } {
  const [namespace, project, ...more] = text.split("/");
  if (!namespace || !project || more.length > 0) {
    throw commandErrors.create("USAGE", {
      problem: `--project ${text}: expected NAMESPACE/PROJECT`,
      command: "import",
    });
  }
  return { namespace: encodeURIComponent(namespace), project: encodeURIComponent(project) };
}

async function sizeOf(file: string): Promise<number> {
  try {
    const stats = await stat(file);
    if (!stats.isFile()) throw new Error("not a file");
    return stats.size;
  } catch (error) {
    throw commandErrors.create("FILE_UNREADABLE", { file, reason: reasonOf(error) }, { cause: error });
  }
}

function printResult(result: ImportResult, seconds: number): void {
  const rate = Math.round(result.totalLines / Math.max(seconds, 0.001));
  process.stdout.write(
    `${result.importedCount} imported, ${result.skippedCount} unchanged, ${result.errorCount} refused of ${result.totalLines} rows in ${seconds.toFixed(1)} s (${rate}/s)\n`,
  );
  for (const { line, source, reason, message } of result.errors.slice(0, errorsShown)) {
    process.stdout.write(
      `  line ${line}: ${source === undefined ? "" : `${source}: `}${message} [${reason}]\n`,
    );
  }
  if (result.errorCount > errorsShown)
    process.stdout.write(`  and ${result.errorCount - errorsShown} more\n`);
}
