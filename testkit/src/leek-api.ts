/**
 * A stand-in for Leek's API at `/v1/events/process`: it checks headers, application and key, stores what is posted as
 * Leek's index does (`leek-index.ts`), and fails in every way in which the real one is known to fail.
 */
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { gunzipSync } from "node:zlib";
import { answerWith, FaultPlan, type HttpAnswer, type HttpFault } from "./http-faults.ts";
import { createLeekIndex, type IndexedDocument, type LeekIndex } from "./leek-index.ts";

export interface LeekApiOptions {
  /** 0: any. */
  readonly port?: number;
  /** Before `/v1`, as behind a reverse proxy: `/leek`. */
  readonly prefix?: string;
  readonly appKey?: string;
  /** Stores nothing and remembers no request: for load. */
  readonly isForgetful?: boolean;
  /** Default true. Else `posts` and `stored` stay empty, and the index is all there is: for long runs. */
  readonly remembersPosts?: boolean;
  /** Hears what is stored, or would be. */
  readonly onStored?: (documents: readonly IndexedDocument[]) => void;
}

export interface LeekPost {
  /** As they were sent, name and value in turn. */
  readonly rawHeaders: readonly string[];
  readonly documents: readonly IndexedDocument[];
  readonly bytes: number;
  /** As it was decided, whether or not it was sent; undefined: the request was not served. */
  readonly status: number | undefined;
  readonly at: number;
}

export interface LeekApi extends AsyncDisposable {
  /** Up to the prefix. */
  readonly url: string;
  readonly port: number;
  readonly index: LeekIndex;
  /** Every document that was stored, in order; one that was sent twice is in it twice. */
  readonly stored: readonly IndexedDocument[];
  readonly posts: readonly LeekPost[];
  /** GET and OPTIONS that were answered with 200. */
  readonly checks: number;
  /** Of POSTs. GET and OPTIONS have those of `checkFaults`. */
  readonly faults: FaultPlan;
  readonly checkFaults: FaultPlan;
  /** The key and the application that are known; may be changed. */
  appKey: string;
  hasApplication: boolean;
  /** Larger bodies are answered with 413, as a reverse proxy does. */
  maxBodyBytes: number;
  /** Documents that the search backend refuses, and how the API then answers. */
  poison:
    | { readonly is: (document: IndexedDocument) => boolean; readonly answer: LeekPoisonAnswer }
    | undefined;
  /** Requests being served. */
  readonly inFlight: number;
  readonly mostInFlight: number;
  readonly connections: number;
}

/**
 * processed: 201 "Processed"; stored is neither it nor what comes after the 500 documents with which it goes to the index.
 * fewer: 201 with the number of those before it, and they alone are stored. conflict: 409, stored as with processed.
 * broken: 500, nothing is stored.
 */
export type LeekPoisonAnswer = "processed" | "fewer" | "conflict" | "broken";

const headerNames = ["x-leek-org-name", "x-leek-app-name", "x-leek-app-key", "x-leek-app-env"];

export async function startLeekApi(options: LeekApiOptions = {}): Promise<LeekApi> {
  const { port = 0, prefix = "", isForgetful = false } = options;
  const remembersPosts = options.remembersPosts !== false && !isForgetful;
  const path = `${prefix}/v1/events/process`;
  const index = createLeekIndex();
  const stored: IndexedDocument[] = [];
  const posts: LeekPost[] = [];
  const sockets = new Set<Socket>();
  let checks = 0;
  let inFlight = 0;
  let mostInFlight = 0;

  const api = {
    url: "",
    port: 0,
    index,
    stored,
    posts,
    faults: new FaultPlan(),
    checkFaults: new FaultPlan(),
    appKey: options.appKey ?? "secret",
    hasApplication: true,
    maxBodyBytes: Number.POSITIVE_INFINITY,
    poison: undefined as LeekApi["poison"],
    get checks() {
      return checks;
    },
    get inFlight() {
      return inFlight;
    },
    get mostInFlight() {
      return mostInFlight;
    },
    get connections() {
      return sockets.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };

  function store(documents: readonly IndexedDocument[]): void {
    options.onStored?.(documents);
    if (isForgetful) return;
    index.post(documents);
    if (remembersPosts) stored.push(...documents);
  }

  function refusal({ headers, method }: IncomingMessage): HttpAnswer | undefined {
    const needed = method === "POST" ? headerNames : headerNames.slice(0, 3);
    const missing = needed.find((name) => !headers[name]);
    if (missing !== undefined) return coded(400, "400001", "Invalid request", missing);
    if (!api.hasApplication) return coded(404, "404001", "Application does not exist");
    if (headers["x-leek-app-key"] !== api.appKey) return coded(401, "401001", "Application API Key is wrong");
    return undefined;
  }

  function serve(request: IncomingMessage, body: Buffer): HttpAnswer {
    if (request.url !== path) return { status: 404, body: "<h1>Not Found</h1>" };
    if (request.method === "OPTIONS") return json(200, "");
    const refused = refusal(request);
    if (refused !== undefined) return refused;
    if (request.method === "GET") return json(200, "Ready!");
    if (body.length > api.maxBodyBytes) return { status: 413, body: "<h1>Request Entity Too Large</h1>" };
    return storeAll(documentsOf(request, body));
  }

  function storeAll(documents: readonly IndexedDocument[]): HttpAnswer {
    const { poison } = api;
    const at = poison === undefined ? -1 : documents.findIndex(poison.is);
    if (poison === undefined || at < 0) {
      store(documents);
      return json(201, { success: documents.length });
    }
    if (poison.answer === "broken") return coded(500, "500001", "Internal Server Error", "unexpected");
    if (poison.answer === "fewer") {
      store(documents.slice(0, at));
      return json(201, { success: at });
    }
    // The API hands 500 documents at a time to its index, which refuses one by itself.
    const chunksEnd = (Math.floor(at / 500) + 1) * 500;
    store(documents.slice(0, chunksEnd).filter((document) => !poison.is(document)));
    return poison.answer === "conflict" ? json(409, "Bulk update error") : json(201, "Processed");
  }

  const server = createServer({ keepAliveTimeout: 120_000 }, (request, response) => {
    const isPost = request.method === "POST";
    inFlight++;
    mostInFlight = Math.max(mostInFlight, inFlight);
    let documents: readonly IndexedDocument[] = [];
    let bytes = 0;
    const at = Date.now();
    answerWith((isPost ? api.faults : api.checkFaults).take(), request, response, (body) => {
      bytes = body.length;
      const answer = serve(request, body);
      if (isPost && remembersPosts) documents = documentsOf(request, body);
      return answer;
    })
      .then((answer) => {
        if (!isPost) checks += answer?.status === 200 ? 1 : 0;
        else if (remembersPosts)
          posts.push({ rawHeaders: request.rawHeaders, documents, bytes, status: answer?.status, at });
      })
      .catch(() => request.socket.destroy())
      .finally(() => inFlight--);
  });
  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, "127.0.0.1", resolve);
  });
  api.port = (server.address() as AddressInfo).port;
  api.url = `http://127.0.0.1:${api.port}${prefix}`;
  return api;
}

export const leekFault = {
  /** An answer with this status and the body that the API sends with it. */
  status(status: number, headers: Readonly<Record<string, string>> = {}): HttpFault {
    return { kind: "status", status, headers, body: bodies[status] ?? "" };
  },
  /** 201, as if so many documents were stored; none is. */
  stores(success: number): HttpFault {
    return { kind: "status", status: 201, body: JSON.stringify({ success }) };
  },
  /** 201 "Processed"; none is stored. */
  processed: { kind: "status", status: 201, body: '"Processed"' } satisfies HttpFault as HttpFault,
} as const;

const bodies: Readonly<Record<number, string>> = {
  400: coded(400, "400001", "Invalid request", "a header is missing").body,
  401: coded(401, "401001", "Application API Key is wrong").body,
  404: coded(404, "404001", "Application does not exist").body,
  409: '"Bulk update error"',
  413: "<html><h1>413 Request Entity Too Large</h1></html>",
  500: coded(500, "500001", "Internal Server Error", "unexpected").body,
  503: coded(503, "503001", "Search backend unavailable").body,
};

function coded(status: number, code: string, message: string, reason?: string): HttpAnswer {
  return json(status, { error: { code, message, ...(reason === undefined ? {} : { reason }) } });
}

function json(status: number, body: unknown): HttpAnswer {
  return { status, headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
}

function documentsOf({ headers }: IncomingMessage, body: Buffer): readonly IndexedDocument[] {
  const text = headers["content-encoding"] === "gzip" ? gunzipSync(body) : body;
  return JSON.parse(text.toString());
}
