// biome-ignore-all lint/suspicious/noTemplateCurlyInString: this is how variables are written in the file
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isPosthouseError, type PosthouseError } from "@posthouse/protocol";
import { describe, expect, it } from "vitest";
import * as z from "zod";
import {
  configJsonSchema,
  describeConfig,
  durationSchema,
  loadConfig,
  parseConfig,
  Secret,
  secretSchema,
} from "../src/index.ts";

const schema = z.strictObject({
  name: z.string().optional(),
  every: durationSchema.prefault("5m"),
  push: z.boolean().default(true),
  workers: z.int().default(1),
  token: secretSchema.optional(),
  to: z.union([z.string(), z.strictObject({ upstreams: z.array(z.string()) })]).optional(),
  sites: z
    .array(z.strictObject({ listen: z.string(), hosts: z.array(z.strictObject({ project: z.string() })) }))
    .default([]),
});

const parse = (text: string, env: NodeJS.ProcessEnv = {}) => parseConfig(text, "posthouse.yaml", schema, env);

function failure(text: string, env: NodeJS.ProcessEnv = {}): PosthouseError {
  try {
    parse(text, env);
  } catch (error) {
    if (isPosthouseError(error)) return error;
    throw error;
  }
  throw new Error("was accepted");
}

const problems = (text: string, env?: NodeJS.ProcessEnv): string[] => failure(text, env).message.split("\n");

describe("configuration file", () => {
  it("fills defaults, also for an empty file", () => {
    expect(parse("")).toEqual({ every: 300_000, push: true, workers: 1, sites: [] });
  });

  it("names file, line, column and the key that was meant", () => {
    const text = "name: a\nsites:\n  - listen: :80\n    hosts:\n      - projct: shop\n        project: x\n";
    expect(problems(text)).toEqual([
      'posthouse.yaml:5:9  sites[0].hosts[0].projct: unknown key; did you mean "project"?',
    ]);
    expect(failure(text).code).toBe("CONFIG_INVALID");
  });

  it("lists the known keys when none is near", () => {
    expect(problems("sites:\n  - { listen: a, hosts: [], zzzzzzzz: 1 }")).toEqual([
      "posthouse.yaml:2:29  sites[0].zzzzzzzz: unknown key; known are listen, hosts",
    ]);
  });

  it("reports every problem at once, in the order of the file", () => {
    expect(problems("every: 5\nnaem: x\nsites:\n  - hosts: no\npush: 1\n")).toEqual([
      'posthouse.yaml:1:8  every: expected a duration such as "5m" or "1m30s"; did you mean "5s"?',
      'posthouse.yaml:2:1  naem: unknown key; did you mean "name"?',
      "posthouse.yaml:4:5  sites[0].listen: is missing",
      "posthouse.yaml:4:12  sites[0].hosts: expected array, received string",
      "posthouse.yaml:5:7  push: expected boolean, received number",
    ]);
  });

  it("shows the nearest branch of a union", () => {
    expect(problems("to:\n  upstream: [a]\n  upstreams: [a]\n")).toEqual([
      'posthouse.yaml:2:3  to.upstream: unknown key; did you mean "upstreams"?',
    ]);
  });

  it("reports all syntax errors with their places", () => {
    const error = failure('name: "a\nsites: [\n');
    expect(error.code).toBe("CONFIG_SYNTAX");
    expect(error.message).toMatch(/^posthouse\.yaml:\d+:\d+ {2}\S/);
    expect(failure("name: a\nname: b\n").message).toMatch(/^posthouse\.yaml:2:1 {2}.*unique/);
  });

  it("survives an alias that holds itself and one that multiplies", () => {
    expect(problems("sites: &a [*a]")).toEqual(["posthouse.yaml:1:12  nested too deep"]);
    const bomb = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"];
    for (let i = 1; i < 9; i++)
      bomb.push(
        `a${i}: &a${i} [${Array(10)
          .fill(`*a${i - 1}`)
          .join(",")}]`,
      );
    expect(failure(bomb.join("\n")).message).toContain("aliases make the file too large");
  });

  it("does not let a key reach the prototype", () => {
    expect(problems("__proto__: { polluted: true }\n")[0]).toContain("__proto__: unknown key");
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
  });
});

describe("variables", () => {
  it("are replaced anywhere in values, with defaults", () => {
    const env = { HOST: "h1", EMPTY: "" };
    expect(parse("name: a-${HOST}-${NONE:-b}${EMPTY:-c}${EMPTY}", env).name).toBe("a-h1-bc");
    expect(parse("name: '${HOST}'", env).name).toBe("h1");
    expect(parse("name: $${HOST}", env).name).toBe("${HOST}");
    expect(parse("name: $HOST", env).name).toBe("$HOST");
  });

  it("cannot change the structure of the file", () => {
    expect(parse("name: ${X}", { X: "a\npush: false" })).toMatchObject({
      name: "a\npush: false",
      push: true,
    });
  });

  it("become booleans and numbers only where one is wanted and no quotes were written", () => {
    const env = { YES: "true", TWO: "2", NO: "maybe" };
    expect(parse("push: ${YES}\nworkers: ${TWO}\nname: ${TWO}", env)).toMatchObject({
      push: true,
      workers: 2,
      name: "2",
    });
    expect(problems("push: ${NO}", env)).toHaveLength(1);
    expect(problems("push: '${YES}'", env)).toHaveLength(1);
  });

  it("are an error when not set, once, beside the other problems", () => {
    expect(problems("every: ${EVERY}\npush: 3\n")).toEqual([
      "posthouse.yaml:1:8  every: the environment variable EVERY is not set",
      "posthouse.yaml:2:7  push: expected boolean, received number",
    ]);
    expect(problems("name: ${a b}")[0]).toContain("is not ${NAME} or ${NAME:-default}");
    expect(problems("name: ${HOST")[0]).toContain("is not ${NAME}");
  });
});

describe("loading and describing", () => {
  it("says which variable is empty, unless that is allowed", () => {
    expect(problems("token: ${TOKEN}", { TOKEN: "" })).toEqual([
      "posthouse.yaml:1:8  token: the environment variable TOKEN is empty; where it may be, write ${TOKEN:-}",
    ]);
    expect(parse("name: ${NAME:-}", { NAME: "" })).toMatchObject({ name: "" });
    expect(parse("name: a${NAME}", { NAME: "" })).toMatchObject({ name: "a" });
  });

  it("reads a file and says why it cannot", async () => {
    const directory = await mkdtemp(join(tmpdir(), "posthouse-config-"));
    try {
      const path = join(directory, "posthouse.yaml");
      await writeFile(path, "name: ${WHO}\n");
      expect((await loadConfig(path, schema, { env: { WHO: "me" } })).name).toBe("me");
      const missing = loadConfig(join(directory, "none.yaml"), schema);
      await expect(missing).rejects.toMatchObject({ code: "CONFIG_UNREADABLE" });
      await expect(missing).rejects.toThrow(/none\.yaml: ENOENT/);
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it("hides secrets and passwords in URLs", () => {
    const config = { token: new Secret("s3cret"), urls: ["amqp://me:pw@host/x", "http://host:80/"] };
    expect(describeConfig(config)).toEqual({
      token: "[hidden]",
      urls: ["amqp://me:[hidden]@host/x", "http://host:80/"],
    });
    for (const [written, shown] of [
      ["https://hooks.example.com/wh?tok=s3cret&x=1", "https://hooks.example.com/wh?[hidden]"],
      ["https://hooks.example.com?s3cret#part", "https://hooks.example.com?[hidden]#part"],
      ["https://s3cret@git.example.com:8443/a", "https://[hidden]@git.example.com:8443/a"],
      ["http://:s3@cret@host/a/b", "http://[hidden]@host/a/b"],
      ["amqp://me:s3@cret:x@host/x?login=s3cret", "amqp://me:[hidden]@host/x?[hidden]"],
      ["cannot reach http://host/a?b=s3cret now", "cannot reach http://host/a?[hidden] now"],
      ["is it a question? see http://host/a", "is it a question? see http://host/a"],
      ["/path?with=query", "/path?with=query"],
    ])
      expect(describeConfig(written)).toBe(shown);
  });

  it("makes a JSON Schema of what is written, not of what is read", () => {
    const json = configJsonSchema(schema, "Posthouse") as {
      properties: Record<string, unknown>;
      title: string;
    };
    expect(json.title).toBe("Posthouse");
    expect(json.properties.every).toMatchObject({ type: "string", default: "5m" });
    expect(json.properties.token).toMatchObject({ type: "string" });
  });
});
