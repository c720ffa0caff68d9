/**
 * `npm run reference`: writes `docs/reference` from the code: errors from the catalogues, configuration from the
 * schemas, metrics and the Manager's HTTP API from processes that are started for it. A test compares the result with the files.
 */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { agentConfigSchema, createAgent } from "@posthouse/agent";
import { createManager, managerConfigSchema } from "@posthouse/manager";
import type { ErrorDefinition } from "@posthouse/protocol";
import { configJsonSchema, createLog } from "@posthouse/service";
import { agentErrors } from "../apps/agent/src/core/errors.ts";
import { describeControlApi } from "../apps/agent/src/events/control-openapi.ts";
import { errors as managerErrors } from "../apps/manager/src/errors.ts";
import { commands } from "../apps/posthouse/src/commands.ts";
import { commandErrors } from "../apps/posthouse/src/errors.ts";
import { commandHelp, overview } from "../apps/posthouse/src/help.ts";
import { errors as clientErrors } from "../packages/client/src/errors.ts";
import { flagsErrors } from "../packages/flags/src/errors.ts";
import { rulesErrors } from "../packages/rules/src/errors.ts";
import { serviceErrors } from "../packages/service/src/errors.ts";

const folder = join(import.meta.dirname, "..", "docs", "reference");
const note = "<!-- Written by `npm run reference`; do not edit. -->\n\n";

/** Every reference page by its file name. */
export async function generateReference(): Promise<ReadonlyMap<string, string>> {
  const state = await mkdtemp(join(tmpdir(), "posthouse-reference-"));
  const log = createLog({ level: "silent", format: "json" });
  const manager = createManager(
    managerConfigSchema.parse({ listen: "127.0.0.1:0", database: { path: join(state, "manager.db") } }),
    { log },
  );
  const agent = createAgent(agentConfigSchema.parse({ state, admin: { listen: "127.0.0.1:0" } }), { log });
  try {
    await manager.start();
    await agent.start();
    const token = await manager.issueToken("reference", {
      permissions: [],
      admin: [{ section: "*", action: "*" }],
    });
    const headers = { authorization: `Bearer ${token}` };
    const read = async (url: string): Promise<string> => {
      const response = await fetch(url, { headers });
      if (!response.ok) throw new Error(`${url}: status ${response.status}`);
      return response.text();
    };
    const openapi = JSON.parse(await read(`${manager.url}/api/v1/openapi.json`)) as unknown;
    return new Map([
      ["errors.md", errorsPage()],
      ["configuration.md", configurationPage()],
      ["command-line.md", commandLinePage()],
      [
        "metrics.md",
        `${note}# Metrics\n\n## Agent\n\n${metricsTable(await read(`http://${agent.addresses.admin}/metrics`))}\n## Manager\n\n${metricsTable(await read(`${manager.url}/metrics`))}`,
      ],
      ["openapi.json", `${JSON.stringify(openapi, null, 2)}\n`],
      ["openapi-agent.json", `${JSON.stringify(describeControlApi(), null, 2)}\n`],
    ]);
  } finally {
    await agent.stop(2000);
    await manager.stop(2000);
    await rm(state, { recursive: true, force: true });
  }
}

function errorsPage(): string {
  const catalogues: [string, Readonly<Record<string, ErrorDefinition>>][] = [
    ["Rules", rulesErrors.definitions],
    ["Flags", flagsErrors.definitions],
    ["Client", clientErrors.definitions],
    ["Configuration and process", serviceErrors.definitions],
    ["Agent", agentErrors.definitions],
    ["Manager", managerErrors.definitions],
    ["Command", commandErrors.definitions],
  ];
  const sections = catalogues.map(([title, definitions]) => {
    const rows = Object.entries(definitions).map(
      ([code, { message, hint }]) => `| \`${code}\` | ${cell(message)} | ${cell(hint ?? "")} |`,
    );
    return `## ${title}\n\n| code | says | what to do |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  return `${note}# Errors\n\n${sections.join("\n")}`;
}

interface JsonSchema {
  readonly type?: string;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly additionalProperties?: JsonSchema | boolean;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly default?: unknown;
  readonly description?: string;
  readonly enum?: readonly unknown[];
  readonly required?: readonly string[];
}

function configurationPage(): string {
  const section = (title: string, schema: Record<string, unknown>): string => {
    const rows = [...settings(schema as JsonSchema, "")].map(
      ({ key, type, needed, preset, about }) =>
        `| \`${key}\` | ${type} | ${defaultText(needed, preset)} | ${cell(about)} |`,
    );
    return `## ${title}\n\n| key | type | default | |\n|---|---|---|---|\n${rows.join("\n")}\n`;
  };
  return `${note}# Configuration\n\n${section("Agent", configJsonSchema(agentConfigSchema, "agent"))}\n${section("Manager", configJsonSchema(managerConfigSchema, "manager"))}`;
}

function defaultText(needed: boolean, preset: unknown): string {
  if (needed) return "needed";
  if (preset === hostname()) return "the host's name";
  return preset === undefined ? "" : `\`${typeof preset === "string" ? preset : JSON.stringify(preset)}\``;
}

interface Setting {
  readonly key: string;
  readonly type: string;
  readonly needed: boolean;
  readonly preset: unknown;
  readonly about: string;
}

function* settings(schema: JsonSchema, prefix: string): Generator<Setting> {
  for (const [name, value] of Object.entries(schema.properties ?? {})) {
    const key = `${prefix}${name}`;
    const inner =
      value.items ?? (typeof value.additionalProperties === "object" ? value.additionalProperties : value);
    const path = value.items ? `${key}[].` : inner === value ? `${key}.` : `${key}.NAME.`;
    const full = value.anyOf?.find(({ properties }) => properties !== undefined);
    if (inner.properties) {
      yield* settings(inner, path);
    } else if (full !== undefined) {
      yield {
        key,
        type: "string, or the keys below",
        needed: false,
        preset: undefined,
        about: value.description ?? "",
      };
      yield* settings(full, path);
    } else {
      const type =
        value.enum?.join(" \\| ") ??
        (value.items ? `list of ${inner.type ?? "values"}` : (value.type ?? "value"));
      const needed = value.default === undefined && (schema.required ?? []).includes(name);
      yield { key, type, needed, preset: value.default, about: value.description ?? "" };
    }
  }
}

function commandLinePage(): string {
  const pages = commands.map((command) => `## ${command.name}\n\n\`\`\`\n${commandHelp(command)}\`\`\`\n`);
  return `${note}# Command line\n\n\`\`\`\n${overview(commands)}\`\`\`\n\n${pages.join("\n")}`;
}

/** Our own metrics of a Prometheus exposition; Node's (`process_`, `nodejs_`) are left out. */
function metricsTable(exposition: string): string {
  const types = new Map(
    [...exposition.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]),
  );
  const rows = [...exposition.matchAll(/^# HELP (posthouse_\S+) (.*)$/gm)]
    .map(([, name = "", help = ""]) => `| \`${name}\` | ${types.get(name)} | ${cell(help)} |`)
    .toSorted();
  return `| metric | type | is |\n|---|---|---|\n${rows.join("\n")}\n`;
}

const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll("\n", " ");

if (import.meta.main) {
  await mkdir(folder, { recursive: true });
  for (const [name, text] of await generateReference()) {
    await writeFile(join(folder, name), text);
    console.log(`wrote docs/reference/${name}`);
  }
}
