import { Readable, Transform } from "node:stream";
import type { Command } from "../command.ts";
import { commandErrors } from "../errors.ts";
import type { ImportSource } from "../import/import-source.ts";
import { createManagerApi } from "../manager-api.ts";
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
  /** Rows that went in, but may not do what was meant. Absent from older Managers. */
  readonly warningCount?: number;
  readonly warnings?: readonly {
    readonly line: number;
    readonly source: string;
    readonly code: string;
    readonly message: string;
  }[];
}

interface PublishResult {
  readonly version: number;
  readonly redirects: { readonly created: number; readonly updated: number; readonly deleted: number };
}

const shown = 20;

export const importCommand: Command = {
  name: "import",
  summary: "Imports a list of redirects into a project of a Manager, as drafts, or published at once.",
  details: [
    "tsv and csv have a header line and the columns type, source, target, status. Types are BASIC, BASIC_HOST, REGEX and REGEX_HOST; a status is its name or 301, 302, 307, 308. csv is separated by commas or semicolons; a byte order mark does no harm.",
    "_redirects is the file of Netlify and Cloudflare Pages. What a redirect of ours cannot say is listed by its line and left out.",
    "Rows that are wrong are listed, and all others go in as drafts; the exit code is then 1. Nothing is served before it is published. The token is POSTHOUSE_TOKEN, or the one that posthouse up left in its state directory; it needs redirect:write.",
  ],
  positionals: [
    { name: "FORMAT", help: "tsv, csv or _redirects" },
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
    "posthouse import _redirects public/_redirects --project demo/site",
    "POSTHOUSE_TOKEN=flecto_… posthouse import csv list.csv --manager https://manager.example.com --project production/shop",
  ],
  async run(args) {
    const [format = "", file = ""] = args.positionals;
    const project = parseProject(args.required("project"));
    const { openImport } = await import("../import/import-source.ts");
    const source = await openImport(format, file);
    const api = createManagerApi(args.required("manager"), await readToken(args.required("state")));

    const base = `/namespaces/${project.namespace}/projects/${project.project}`;
    const progress = createProgress(process.stderr, `importing ${file}`, source.bytes);
    const counter = new Transform({
      transform(chunk: Buffer, _encoding, done) {
        progress.add(chunk.length);
        done(null, chunk);
      },
      flush(done) {
        progress.wait("the Manager makes drafts of it");
        done();
      },
    });
    source.body.on("error", (error) => counter.destroy(error));
    const body = Readable.toWeb(source.body.pipe(counter)) as ReadableStream<Uint8Array>;
    let result: ImportResult;
    try {
      result = await api.upload<ImportResult>(`${base}/import?overwrite=${!args.flag("keep")}`, body, {
        ...source.headers,
      });
    } finally {
      progress.end();
    }
    printResult(result, source, progress.seconds());
    if (args.flag("publish") && result.importedCount > 0) {
      const startedAt = performance.now();
      const { version, redirects } = await api.send<PublishResult>("POST", `${base}/publish`);
      const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
      process.stdout.write(
        `published version ${version} in ${seconds} s: ${redirects.created} new, ${redirects.updated} changed, ${redirects.deleted} deleted\n`,
      );
    }
    return result.errorCount + source.unread.length === 0 ? 0 : 1;
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

function printResult(result: ImportResult, { unread, lineOf }: ImportSource, seconds: number): void {
  const rows = result.totalLines + unread.length;
  const refused = result.errorCount + unread.length;
  const rate = Math.round(rows / Math.max(seconds, 0.001));
  process.stdout.write(
    `${result.importedCount} imported, ${result.skippedCount} unchanged, ${refused} refused of ${rows} rows in ${seconds.toFixed(1)} s (${rate}/s)\n`,
  );
  const lines = [
    ...unread.map(({ line, message, code }) => `line ${line}: ${message} [${code}]`),
    ...result.errors.map(({ line, source, reason, message }) => {
      const what = source === undefined ? "" : `${source}: `;
      return `line ${lineOf(line)}: ${what}${message} [${reason}]`;
    }),
  ];
  for (const line of lines.slice(0, shown)) process.stdout.write(`  ${line}\n`);
  if (refused > shown) process.stdout.write(`  and ${refused - shown} more\n`);
  const { warnings = [], warningCount = warnings.length } = result;
  if (warningCount > 0) process.stdout.write(`${warningCount} to look at\n`);
  for (const { line, source, code, message } of warnings.slice(0, shown)) {
    process.stdout.write(`  line ${lineOf(line)}: ${source}: ${message} [${code}]\n`);
  }
  if (warningCount > shown) process.stdout.write(`  and ${warningCount - shown} more\n`);
}
