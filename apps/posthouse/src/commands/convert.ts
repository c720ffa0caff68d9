import { readFile, writeFile } from "node:fs/promises";
import type { Arguments, Command } from "../command.ts";
import type { Converted } from "../convert/flecto.ts";
import { commandErrors } from "../errors.ts";
import { reasonOf } from "../manager-api.ts";

const converters: Readonly<Record<string, (file: string, args: Arguments) => Promise<Converted>>> = {
  flecto,
  redirectionio,
  featbit,
};
const formats = Object.keys(converters);

export const convertCommand: Command = {
  name: "convert",
  summary: "Turns another agent's configuration into one for posthouse agent.",
  details: [
    "flecto: the options of Flecto's Traefik middleware, alone in a file or in Traefik's dynamic configuration (http.middlewares.NAME.plugin.PLUGIN, or a Kubernetes Middleware), as YAML or JSON. Hosts, projects, headers and intervals keep their meaning, and compat: flecto keeps the answers.",
    "redirectionio: the configuration of redirection.io's agent 2.x (agent.yml). Each proxy becomes a site, and variables stay variables. Rules stay with redirection.io: each key that has no meaning here, or none yet, is named.",
    "featbit: the appsettings.json of FeatBit Agent 2.x. Its environment variables need no step: posthouse agent reads them as they are.",
    "What is different is told on standard error with its place. A configuration with which the other agent does not start is refused: every problem is named with its line and key, and the exit code is 2.",
    "The result of flecto holds the tokens, and that of featbit the key, since it must work as it is. -o makes the file readable by its owner only.",
  ],
  positionals: [
    { name: "FORMAT", help: `whose configuration it is: ${formats.join(", ")}` },
    { name: "FILE", help: "the file" },
  ],
  options: {
    out: { short: "o", value: "FILE", help: "write there, not to standard output; must not exist" },
    middleware: { value: "NAME", help: "flecto: which one, where the file has several" },
    listen: { value: "ADDRESS", help: "flecto: where the agent takes requests (127.0.0.1:8000)" },
    state: { value: "DIR", help: "where the agent keeps its copies (./state, or by datadir)" },
  },
  examples: [
    "posthouse convert flecto middleware.yaml -o posthouse.yaml",
    "posthouse convert flecto dynamic.yml --middleware redirects --listen 0.0.0.0:8000",
    "posthouse convert redirectionio /etc/redirectionio/agent.yml -o posthouse.yaml",
    "posthouse convert featbit appsettings.json -o posthouse.yaml",
  ],
  async run(args) {
    const [format = "", file = ""] = args.positionals;
    const convert = Object.hasOwn(converters, format) ? converters[format] : undefined;
    if (convert === undefined) {
      const { unknownFormat } = await import("../unknown-format.ts");
      throw unknownFormat(format, formats);
    }
    const { yaml, warnings } = await convert(file, args);
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

async function flecto(file: string, args: Arguments): Promise<Converted> {
  const { convertFlecto } = await import("../convert/flecto.ts");
  const [middleware, listen, state] = ["middleware", "listen", "state"].map((name) => args.text(name));
  return convertFlecto(await read(file), { file, middleware, listen, state });
}

async function redirectionio(file: string, args: Arguments): Promise<Converted> {
  const { convertRedirectionio } = await import("../convert/redirectionio.ts");
  refuseFlectoOptions(args, `the sites have their addresses from ${file}`);
  return convertRedirectionio(await read(file), { file, state: args.text("state") });
}

async function featbit(file: string, args: Arguments): Promise<Converted> {
  const [{ convertFeatbit }, { settingsOfFile }] = await Promise.all([
    import("../convert/featbit.ts"),
    import("../convert/featbit-settings.ts"),
  ]);
  refuseFlectoOptions(args, `the address is from ${file}`);
  const settings = settingsOfFile(await read(file), file);
  const { yaml, warnings } = convertFeatbit(settings, {
    source: file,
    state: args.text("state"),
    admin: "127.0.0.1:9400",
    isStrict: true,
  });
  const from = file.replace(/[\r\n]/g, " ");
  return {
    yaml: `# Made by posthouse convert featbit from ${from}. It holds the key: keep it to yourself.\n${yaml}`,
    warnings,
  };
}

function refuseFlectoOptions(args: Arguments, why: string): void {
  for (const option of ["middleware", "listen"]) {
    if (args.text(option) === undefined) continue;
    throw commandErrors.create("USAGE", { problem: `--${option} is for flecto; ${why}`, command: "convert" });
  }
}

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
