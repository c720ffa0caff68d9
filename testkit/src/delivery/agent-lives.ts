/** A real agent that is ended and started again, on the same state. */
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type PosthouseProcess, startPosthouse } from "../posthouse-process.ts";
import { until } from "../until.ts";

export interface AgentLivesOptions {
  readonly folder: string;
  /** Where its state is. */
  readonly state: string;
  readonly subscriptions: readonly Readonly<Record<string, unknown>>[];
  /** Path of libfaketime; without it the clock cannot jump. */
  readonly clockLibrary?: string | undefined;
}

/** Series of metrics, as they are written, with their values. */
export type Series = ReadonlyMap<string, number>;

const token = "s3cret-of-admin";
const startWithinMs = 60_000;
const endWithinMs = 60_000;

export class AgentLives {
  /** How often it was started. */
  life = 0;
  /** What was not as it should be. */
  readonly problems: string[] = [];
  readonly #options: AgentLivesOptions;
  readonly #file: string;
  readonly #clock: string;
  /** The last figures of each life. */
  readonly #series: Map<string, number>[] = [];
  #process: PosthouseProcess | undefined;
  #admin: string | undefined;

  constructor(options: AgentLivesOptions) {
    this.#options = options;
    this.#file = join(options.folder, "agent.json");
    this.#clock = join(options.folder, "clock");
  }

  async prepare(): Promise<void> {
    const { folder, state, subscriptions } = this.#options;
    await mkdir(folder, { recursive: true });
    await writeFile(this.#clock, "+0");
    await writeFile(
      this.#file,
      JSON.stringify({ state, admin: { listen: "127.0.0.1:0", token }, events: { subscriptions } }),
    );
  }

  get isAlive(): boolean {
    return this.#process !== undefined;
  }

  /** Resolves when it listens; it may be ended before. */
  async start(): Promise<void> {
    const { clockLibrary } = this.#options;
    this.life++;
    this.#series.push(new Map());
    const env =
      clockLibrary === undefined
        ? {}
        : {
            LD_PRELOAD: clockLibrary,
            FAKETIME_TIMESTAMP_FILE: this.#clock,
            FAKETIME_CACHE_DURATION: "1",
            FAKETIME_DONT_FAKE_MONOTONIC: "1",
          };
    const process = startPosthouse(["agent", "-c", this.#file], { env });
    const { life } = this;
    this.#process = process;
    void process.exited.then((code) => {
      if (this.#process === process)
        this.problems.push(
          `the agent ended by itself in life ${life} with ${code}\n${process.output().slice(-2000)}`,
        );
    });
    try {
      const [line = ""] = await process.printed(/^.*"agent started".*$/m, startWithinMs);
      const { admin } = JSON.parse(line) as { admin: string };
      if (this.#process === process) this.#admin = admin;
    } catch (error) {
      if (this.#process === process) throw error;
    }
  }

  async kill(): Promise<void> {
    await this.#end("SIGKILL");
  }

  async terminate(): Promise<void> {
    const { life } = this;
    const ended = await this.#end("SIGTERM");
    if (ended !== undefined && ended.code !== 0)
      this.problems.push(`SIGTERM ended life ${life} with ${ended.code}\n${ended.output.slice(-2000)}`);
  }

  /** Lets its clock jump by so many seconds, from then on, for it and those after it. */
  async setClock(seconds: number): Promise<void> {
    await writeFile(this.#clock, `${seconds < 0 ? "" : "+"}${seconds}`);
  }

  /** Undefined while it does not answer. */
  async metrics(): Promise<Series | undefined> {
    const kept = this.#series.at(-1);
    const text = await this.#get("/metrics");
    if (text === undefined || kept !== this.#series.at(-1)) return undefined;
    const series = new Map<string, number>();
    for (const line of text.split("\n")) {
      const at = line.lastIndexOf(" ");
      if (line.startsWith("posthouse_events_")) series.set(line.slice(0, at), Number(line.slice(at + 1)));
    }
    for (const [name, value] of series) kept?.set(name, value);
    return series;
  }

  /** Of all lives together, as they were last seen, over all series of this name. */
  total(name: string): number {
    let sum = 0;
    for (const series of this.#series)
      for (const [key, value] of series) if (key === name || key.startsWith(`${name}{`)) sum += value;
    return sum;
  }

  /** The dead letters of a subscription, as their texts. */
  async deadLetters(subscription: string): Promise<string[]> {
    const text = await this.#get(`/events/dead-letters/export?subscription=${subscription}`);
    if (text === undefined) throw new Error("the dead letters cannot be read");
    return text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => String((JSON.parse(line) as { text?: string }).text));
  }

  /** What it said last, for a problem that nobody understands. */
  output(): string {
    return this.#process?.output().slice(-4000) ?? "";
  }

  async #end(
    signal: NodeJS.Signals,
  ): Promise<{ readonly code: number; readonly output: string } | undefined> {
    const process = this.#process;
    if (process === undefined) return undefined;
    this.#process = undefined;
    this.#admin = undefined;
    process.signal(signal);
    let code: number | undefined;
    void process.exited.then((ended) => {
      code = ended;
    });
    await until(`the agent ends on ${signal}`, async () => code !== undefined, endWithinMs).catch(() => {
      this.problems.push(
        `the agent did not end within ${endWithinMs} ms on ${signal}\n${process.output().slice(-2000)}`,
      );
      process.signal("SIGKILL");
    });
    return { code: code ?? -1, output: process.output() };
  }

  async #get(path: string): Promise<string | undefined> {
    if (this.#admin === undefined) return undefined;
    try {
      const answer = await fetch(`http://${this.#admin}${path}`, {
        headers: { authorization: `Bearer ${token}` },
        signal: AbortSignal.timeout(5000),
      });
      const text = await answer.text();
      return answer.ok ? text : undefined;
    } catch {
      return undefined;
    }
  }
}
