import { readFile, writeFile } from "node:fs/promises";
import type { Command } from "../command.ts";
import { commandErrors } from "../errors.ts";
import { reasonOf } from "../manager-api.ts";

const formats = ["flecto"];

export const convertCommand: Command = {
  name: "convert",
  summary: "Turns another agent's configuration into one for posthouse agent.",
  details: [
    "flecto: the options of Flecto's Traefik middleware, alone in a file or in Traefik's dynamic configuration (http.middlewares.NAME.plugin.PLUGIN, or a Kubernetes Middleware), as YAML or JSON. Hosts, projects, headers and intervals keep their meaning, and compat: flecto keeps the answers.",
    "What is different is told on standard error with its place. A configuration with which the middleware does not start is refused: every problem is named with its line and key, and the exit code is 2.",
    "The result holds the tokens, since it must work as it is. -o makes the file readable by its owner only.",
  ],
  positionals: [
    { name: "FORMAT", help: `whose configuration it is: ${formats.join(", ")}` },
    { name: "FILE", help: "the file" },
  ],
  options: {
    out: { short: "o", value: "FILE", help: "write there, not to standard output; must not exist" },
    middleware: { value: "NAME", help: "which one, where the file has several" },
    listen: { value: "ADDRESS", default: "127.0.0.1:8000", help: "where the agent takes requests" },
    state: { value: "DIR", default: "./state", help: "where the agent keeps its copies" },
  },
  examples: [
    "posthouse convert flecto middleware.yaml -o posthouse.yaml",
    "posthouse convert flecto dynamic.yml --middleware redirects --listen 0.0.0.0:8000",
  ],
  async run(args) {
    const [format = "", file = ""] = args.positionals;
    const [{ convertFlecto }, { unknownFormat }] = await Promise.all([
      import("../convert/flecto.ts"),
      import("../unknown-format.ts"),
    ]);
    if (!formats.includes(format)) throw unknownFormat(format, formats);
    const { yaml, warnings } = convertFlecto(await read(file), {
      file,
      middleware: args.text("middleware"),
      listen: args.text("listen"),
      state: args.text("state"),
    });
    for (const warning of warnings) process.stderr.write(`${warning}\n`);
    const out = args.text("out");
    if (out === undefined) process.stdout.write(yaml);
    else {
      await write(out, yaml);
      process.stderr.write(`wrote ${out}; try it with posthouse check -c ${out}\n`);
    }
    return 0;
  },
};

async function read(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    throw commandErrors.create("FILE_UNREADABLE", { file, reason: reasonOf(cause) }, { cause });
  }
}

async function write(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { mode: 0o600, flag: "wx" });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "EEXIST")
      throw commandErrors.create("FILE_EXISTS", { file });
    throw commandErrors.create("FILE_NOT_WRITABLE", { file, reason: reasonOf(cause) }, { cause });
  }
}
