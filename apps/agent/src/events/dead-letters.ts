/**
 * What can never be delivered, with the reason and all that was received, in `state.db`. Bounded for each subscription by
 * number and by bytes: the oldest go first, counted. The same twice is one letter with a count.
 */
import { hash } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Log, Part } from "@posthouse/service";
import { agentErrors } from "../core/errors.ts";
import { openStateDatabase, withStateErrors } from "../core/state-database.ts";
import type { Spool } from "../spool/spool.ts";
import { bodyOf, decodeMessage, encodeMessage } from "./spooled-message.ts";

export interface NewDeadLetter {
  readonly subscription: string;
  /** One of those of poison, or: refused (by the API), unknown-record (of another version of the agent). */
  readonly reason: string;
  /** For people. */
  readonly detail: string;
  /** A record as the spool has it, which can be appended again. */
  readonly record: Uint8Array;
}

export interface DeadLetter extends NewDeadLetter {
  readonly id: number;
  /** First and last time; milliseconds since 1970. */
  readonly firstAt: number;
  readonly lastAt: number;
  readonly count: number;
}

/** Why it cannot be replayed; undefined when it can. */
export function replayObstacle({ record }: Pick<DeadLetter, "record">): string | undefined {
  const { kind } = decodeMessage(record);
  if (kind === "cut") return "only its beginning was kept";
  return kind === "unknown" ? "it was written by another version of the agent" : undefined;
}

export interface DeadLetterQuery {
  readonly subscription?: string | undefined;
  /** Those after this id, in order of ids. Default 0. */
  readonly after?: number | undefined;
  /** Default 100, at most 1000. */
  readonly limit?: number | undefined;
}

export interface DeadLettersOptions {
  /** The path of `state.db`. */
  readonly file: string;
  /** Of one subscription. Default 10,000. */
  readonly maxLetters?: number;
  /** Of one subscription's records. Default 64 MiB. */
  readonly maxBytes?: number;
  readonly log: Log;
  readonly now?: () => number;
}

export interface DeadLetterCounters {
  /** Put in, the same ones too. */
  added: number;
  /** Given up because of the bounds. */
  evicted: number;
  replayed: number;
  dropped: number;
}

export interface DeadLetters extends Part {
  /**
   * Resolves when they are on disk; those of one moment are one transaction.
   * @throws STATE_DATABASE_DAMAGED, STATE_DATABASE_UNUSABLE
   */
  add(letters: readonly NewDeadLetter[]): Promise<void>;
  list(query?: DeadLetterQuery): readonly DeadLetter[];
  total(subscription?: string): { readonly letters: number; readonly bytes: number };
  /** A JSON object per letter and line, a page at a time. */
  export(query?: Omit<DeadLetterQuery, "limit">): AsyncGenerator<string>;
  /** Appends them to the spool again, in order, then forgets them; how many. What was cut off cannot be replayed. */
  replay(ids: readonly number[], spool: Spool): Promise<number>;
  /** Forgets them; how many there were. */
  drop(ids: readonly number[]): number;
  readonly counters: Readonly<DeadLetterCounters>;
}

const schema = `
  create table if not exists dead_letters (
    id integer primary key autoincrement,
    subscription text not null,
    key text not null,
    first_at integer not null,
    last_at integer not null,
    count integer not null,
    reason text not null,
    detail text not null,
    record blob not null,
    unique (subscription, key)
  ) strict;
`;
const columns = "id, subscription, first_at, last_at, count, reason, detail, record";
const pageSize = 100;

export function createDeadLetters(options: DeadLettersOptions): DeadLetters {
  const { file, maxLetters = 10_000, maxBytes = 64 * 2 ** 20, log, now = Date.now } = options;
  const counters: DeadLetterCounters = { added: 0, evicted: 0, replayed: 0, dropped: 0 };
  let database: DatabaseSync | undefined;
  const statements = new Map<string, StatementSync>();
  /** Of each subscription, at most; those that came again are counted anew. */
  const atMost = new Map<string, { letters: number; bytes: number }>();
  let waiting: NewDeadLetter[] = [];
  let committing: Promise<void> | undefined;

  function run<Result>(work: (database: DatabaseSync) => Result): Result {
    const open = database;
    if (open === undefined)
      throw agentErrors.create("STATE_DATABASE_UNUSABLE", { file, reason: "it is not open" });
    return withStateErrors(file, () => work(open));
  }

  function prepare(sql: string): StatementSync {
    const known = statements.get(sql);
    if (known !== undefined) return known;
    const statement = run((database) => database.prepare(sql));
    statements.set(sql, statement);
    return statement;
  }

  function transact(work: () => void): void {
    run((database) => {
      database.exec("begin immediate");
      try {
        work();
        database.exec("commit");
      } catch (error) {
        if (database.isTransaction) database.exec("rollback");
        throw error;
      }
    });
  }

  function insert({ subscription, reason, detail, record }: NewDeadLetter): void {
    const at = now();
    const key = hash("sha256", record, "base64url");
    prepare(`insert into dead_letters (subscription, key, first_at, last_at, count, reason, detail, record)
      values (?, ?, ?, ?, 1, ?, ?, ?)
      on conflict do update set count = count + 1, last_at = excluded.last_at, reason = excluded.reason,
        detail = excluded.detail`).run(subscription, key, at, at, reason, detail.toWellFormed(), record);
  }

  /** Once beyond a bound, down to a little less than it: looking is not for each letter. */
  function evict(subscription: string): number {
    const exact = total(subscription);
    let { letters, bytes } = exact;
    const oldest = prepare(
      "select id, length(record) as bytes from dead_letters where subscription = ? order by id limit 1000",
    );
    const remove = prepare("delete from dead_letters where id = ?");
    const isBeyond = (share: number): boolean => letters > share * maxLetters || bytes > share * maxBytes;
    let isDone = !isBeyond(1);
    while (!isDone) {
      for (const row of oldest.all(subscription)) {
        // The newest stays, whatever its size.
        isDone = letters <= 1 || !isBeyond(0.95);
        if (isDone) break;
        remove.run(Number(row.id));
        letters--;
        bytes -= Number(row.bytes);
      }
    }
    atMost.set(subscription, { letters, bytes });
    return exact.letters - letters;
  }

  /** Adds what is coming to what is known to be there at most. */
  function isPerhapsBeyond(subscription: string, coming: readonly NewDeadLetter[]): boolean {
    let { letters, bytes } = atMost.get(subscription) ?? total(subscription);
    for (const letter of coming) {
      if (letter.subscription !== subscription) continue;
      letters++;
      bytes += letter.record.length;
    }
    atMost.set(subscription, { letters, bytes });
    return letters > maxLetters || bytes > maxBytes;
  }

  function commit(letters: readonly NewDeadLetter[]): void {
    let evicted = 0;
    transact(() => {
      const names = new Set(letters.map(({ subscription }) => subscription));
      const full = [...names].filter((name) => isPerhapsBeyond(name, letters));
      for (const letter of letters) insert(letter);
      for (const name of full) evicted += evict(name);
    });
    counters.added += letters.length;
    counters.evicted += evicted;
    if (evicted > 0)
      log.warn({ letters: evicted }, "there are too many dead letters: the oldest are given up");
  }

  function total(subscription?: string): { letters: number; bytes: number } {
    const where = subscription === undefined ? "" : "where subscription = ?";
    const statement = prepare(
      `select count(*) as letters, coalesce(sum(length(record)), 0) as bytes from dead_letters ${where}`,
    );
    const row = run(() => (subscription === undefined ? statement.get() : statement.get(subscription)));
    return { letters: Number(row?.letters ?? 0), bytes: Number(row?.bytes ?? 0) };
  }

  function list({ subscription, after = 0, limit = pageSize }: DeadLetterQuery = {}): DeadLetter[] {
    const where = subscription === undefined ? "" : "subscription = ? and ";
    const values = subscription === undefined ? [] : [subscription];
    const most = Math.min(1000, Math.max(0, limit));
    const statement = prepare(
      `select ${columns} from dead_letters where ${where} id > ? order by id limit ?`,
    );
    return run(() => statement.all(...values, after, most)).map(letterOf);
  }

  function drop(ids: readonly number[]): number {
    let dropped = 0;
    transact(() => {
      const remove = prepare("delete from dead_letters where id = ?");
      for (const id of ids) dropped += Number(remove.run(id).changes);
    });
    counters.dropped += dropped;
    return dropped;
  }

  return {
    name: "dead letters",
    async start() {
      database ??= openStateDatabase(file, schema);
    },
    async stop() {
      await committing?.catch(() => {});
      statements.clear();
      database?.close();
      database = undefined;
    },
    add(letters) {
      waiting.push(...letters);
      committing ??= nextTurn().then(() => {
        const group = waiting;
        waiting = [];
        committing = undefined;
        commit(group);
      });
      return committing;
    },
    list,
    total,
    async *export(query = {}) {
      let { after = 0 } = query;
      for (;;) {
        const letters = list({ ...query, after, limit: pageSize });
        for (const letter of letters) yield `${JSON.stringify(describeDeadLetter(letter))}\n`;
        const last = letters.at(-1);
        if (last === undefined) return;
        after = last.id;
        await nextTurn();
      }
    },
    async replay(ids, spool) {
      const find = prepare(`select ${columns} from dead_letters where id = ?`);
      let replayed = 0;
      for (const id of ids) {
        const row = run(() => find.get(id));
        if (row === undefined) continue;
        const decoded = decodeMessage(letterOf(row).record);
        if (decoded.kind !== "message") continue;
        await spool.append(encodeMessage(decoded.message, true));
        replayed += drop([id]);
      }
      counters.dropped -= replayed;
      counters.replayed += replayed;
      return replayed;
    },
    drop,
    counters,
  };
}

function letterOf(row: Record<string, SQLOutputValue>): DeadLetter {
  return {
    id: Number(row.id),
    subscription: String(row.subscription),
    firstAt: Number(row.first_at),
    lastAt: Number(row.last_at),
    count: Number(row.count),
    reason: String(row.reason),
    detail: String(row.detail),
    record: row.record as Uint8Array,
  };
}

/** As it is listed and exported: what was received as text where it is UTF-8, else in base64. */
export function describeDeadLetter({ record, firstAt, lastAt, ...letter }: DeadLetter): object {
  const decoded = decodeMessage(record);
  const obstacle = replayObstacle({ record });
  const times = {
    firstAt: new Date(firstAt).toISOString(),
    lastAt: new Date(lastAt).toISOString(),
    ...(obstacle && { cannotReplay: obstacle }),
  };
  if (decoded.kind === "unknown")
    return { ...letter, ...times, base64: Buffer.from(record).toString("base64") };
  if (decoded.kind === "cut")
    return { ...letter, ...times, isCut: true, bytes: decoded.bytes, ...textOf(decoded.beginning) };
  const { message } = decoded;
  const { transport } = message;
  const properties =
    message.transport === "amqp"
      ? {
          contentType: message.contentType,
          contentEncoding: message.contentEncoding,
          compression: message.compression,
        }
      : {};
  return { ...letter, ...times, transport, ...properties, ...textOf(bodyOf(message)) };
}

function textOf(bytes: Uint8Array): { text: string } | { base64: string } {
  try {
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch {
    return { base64: Buffer.from(bytes).toString("base64") };
  }
}
