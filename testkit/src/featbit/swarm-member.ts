/** One SDK of the swarm: what it knows, and what it has to say. */
import { makeUser } from "./generate.ts";
import { isFor, readClient, type ServerReader, type Told } from "./swarm-messages.ts";
import { type SwarmGroup, steadyNow } from "./swarm-protocol.ts";
import { clientFrame, SwarmSocket } from "./swarm-socket.ts";
import { encodeToken } from "./token.ts";

/** What all members count into. */
export interface SwarmTally {
  readonly messages: Record<Told["type"], number>;
  readonly closes: Record<string, number>;
  readonly refusals: Record<string, number>;
  readonly wrongSamples: string[];
  wrong: number;
  stalePatches: number;
  missingPongs: number;
}

export const noTally = (): SwarmTally => ({
  messages: { full: 0, patch: 0, pong: 0, other: 0 },
  closes: {},
  refusals: {},
  wrongSamples: [],
  wrong: 0,
  stalePatches: 0,
  missingPongs: 0,
});

const retrySeconds = [1, 3, 5, 7, 11, 13, 30, 60];
const finalCode = 4003;
const mostSamples = 10;
const mostArrivals = 16;
const ping = clientFrame(Buffer.from('{"messageType":"ping","data":null}'));

export interface SwarmAddress {
  readonly host: string;
  readonly port: number;
}

export class SwarmMember {
  isOpen = false;
  isFrozen = false;
  /** When the answer to the data-sync of this connection came; 0 before. */
  syncedAt = 0;
  version = 0;
  /** Versions that were newer than any before, and when each came. */
  arrivals: [version: number, at: number][] = [];
  readonly #group: SwarmGroup;
  readonly #index: number;
  readonly #address: SwarmAddress;
  readonly #reader: ServerReader;
  readonly #tally: SwarmTally;
  readonly #onProgress: (member: SwarmMember) => void;
  readonly #userKey: Buffer;
  #socket: SwarmSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #attempts = 0;
  #awaitsPong = false;

  constructor(
    group: SwarmGroup,
    index: number,
    address: SwarmAddress,
    reader: ServerReader,
    tally: SwarmTally,
    onProgress: (member: SwarmMember) => void,
  ) {
    this.#group = group;
    this.#index = index;
    this.#address = address;
    this.#reader = reader;
    this.#tally = tally;
    this.#onProgress = onProgress;
    this.#userKey = Buffer.from(`"userKeyId":${JSON.stringify(this.#user().keyId)}`);
  }

  #user(): ReturnType<typeof makeUser> {
    return makeUser(this.#index % (this.#group.users ?? this.#group.count));
  }

  open(): void {
    const { secret, kind } = this.#group;
    const path = `/streaming?type=${kind}&token=${encodeToken(secret)}`;
    this.syncedAt = 0;
    this.#awaitsPong = false;
    const socket: SwarmSocket = new SwarmSocket(
      { ...this.#address, path },
      {
        onOpen: () => this.#socket === socket && this.#sync(),
        onMessage: (body) => this.#socket === socket && this.#take(body),
        onClose: (code, status, error) => this.#socket === socket && this.#gone(code, status, error),
      },
    );
    this.#socket = socket;
  }

  #sync(): void {
    this.isOpen = true;
    this.#attempts = 0;
    const { name, keyId, customizedProperties } = this.#user();
    const user = this.#group.kind === "client" ? { user: { name, keyId, customizedProperties } } : {};
    const data = { timestamp: this.version, ...user };
    this.#socket?.send(clientFrame(Buffer.from(JSON.stringify({ messageType: "data-sync", data }))));
  }

  #take(body: Buffer): void {
    const { kind, flags } = this.#group;
    const told = kind === "server" ? this.#reader.read(body) : readClient(body);
    this.#tally.messages[told.type]++;
    if (told.type === "pong") {
      this.#awaitsPong = false;
      return;
    }
    if (told.type === "other") this.#wrong("unknown message", body);
    else if (kind === "client" && !isFor(body, this.#userKey)) this.#wrong("for another user", body);
    else if (told.type === "full" && told.flags !== flags) this.#wrong(`${told.flags} flags`, body);
    const now = steadyNow();
    const isFirst = this.syncedAt === 0;
    if (isFirst) this.syncedAt = now;
    if (told.version > this.version) {
      this.version = told.version;
      if (this.arrivals.length >= mostArrivals) this.arrivals.shift();
      this.arrivals.push([told.version, now]);
    } else if (told.type === "patch") {
      this.#tally.stalePatches++;
      if (!isFirst) return;
    }
    this.#onProgress(this);
  }

  #wrong(what: string, body: Buffer): void {
    this.#tally.wrong++;
    if (this.#tally.wrongSamples.length >= mostSamples) return;
    this.#tally.wrongSamples.push(
      `${this.#group.kind} ${this.#index}: ${what}: ${body.toString("utf8", 0, 200)}`,
    );
  }

  #gone(code: number, status: number | undefined, error: string | undefined): void {
    const [counts, name] = this.isOpen
      ? [this.#tally.closes, String(code)]
      : [this.#tally.refusals, String(status ?? error ?? "closed")];
    counts[name] = (counts[name] ?? 0) + 1;
    this.isOpen = false;
    if (!this.#group.comesBack || code === finalCode || this.isFrozen) return;
    const seconds = retrySeconds[Math.min(this.#attempts++, retrySeconds.length - 1)] ?? 0;
    this.#retry = setTimeout(() => this.open(), seconds * 1000);
  }

  ping(): void {
    if (!this.isOpen || this.isFrozen) return;
    if (this.#awaitsPong) this.#tally.missingPongs++;
    this.#awaitsPong = true;
    this.#socket?.send(ping);
  }

  freeze(): void {
    this.isFrozen = true;
    this.#socket?.freeze();
  }

  /** Writes without reading: once the other side is gone, the system tells. */
  probe(): void {
    this.#socket?.send(ping);
  }

  reset(from: "zero" | "last"): void {
    clearTimeout(this.#retry);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.reset();
    this.isOpen = false;
    this.isFrozen = false;
    this.syncedAt = 0;
    if (from === "last") return;
    this.version = 0;
    this.arrivals = [];
  }
}
