import { mkdtemp, rm } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { type ClientHttp2Session, connect as connect2, type IncomingHttpHeaders } from "node:http2";
import { type AddressInfo, connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConnectionOptions, connect as connectTls, type TLSSocket } from "node:tls";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { needPackage } from "@posthouse/testkit/services";

export type Authority = ReturnType<typeof createTestAuthority>;

const openssl = await needPackage("openssl", "openssl");
/** Why tests with certificates are skipped here; said aloud. */
export const noOpenssl: string | undefined = "missing" in openssl ? openssl.missing : undefined;
if (noOpenssl !== undefined) console.warn(`SKIPPED: ${noOpenssl}`);

export interface TlsFolder extends AsyncDisposable {
  readonly folder: string;
  readonly authority: Authority;
}

export async function makeTlsFolder(): Promise<TlsFolder> {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-tls-"));
  const authority = createTestAuthority("path" in openssl ? openssl.path : "openssl", folder);
  return {
    folder,
    authority,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

export interface Backend extends AsyncDisposable {
  readonly url: string;
}

export async function startBackend(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<Backend> {
  const server = createServer(handle);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Says in JSON what arrived. */
export const echo = (request: IncomingMessage, response: ServerResponse): void => {
  const chunks: Buffer[] = [];
  request.on("data", (chunk) => chunks.push(chunk));
  request.on("end", () => {
    const { method, url, rawHeaders, headers, trailers } = request;
    const body = Buffer.concat(chunks).toString();
    response.end(JSON.stringify({ method, url, rawHeaders, headers, trailers, body }));
  });
};

export function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ port, host: "127.0.0.1", rejectUnauthorized: false, ...options }, () =>
      resolve(socket),
    );
    socket.on("error", reject);
  });
}

/** Sends bytes on a connection and resolves with all that came until it was closed. */
export function exchangeOn(socket: Socket, bytes: string | Buffer): Promise<string> {
  return new Promise((resolve) => {
    let text = "";
    socket.on("data", (chunk: Buffer) => {
      text += chunk.toString("latin1");
    });
    socket.on("error", () => socket.destroy());
    socket.on("close", () => resolve(text));
    socket.write(bytes);
  });
}

export function dial(port: number, host = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host }, () => resolve(socket));
    socket.on("error", reject);
  });
}

export function session2(port: number, ca?: Buffer): ClientHttp2Session {
  const trust = ca === undefined ? { rejectUnauthorized: false } : { ca };
  const session = connect2(`https://127.0.0.1:${port}`, {
    servername: "a.example",
    maxSessionMemory: 256,
    ...trust,
  });
  session.on("error", () => {});
  return session;
}

export interface Answer2 {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  readonly trailers: IncomingHttpHeaders;
  readonly informed: readonly number[];
  readonly body: string;
  readonly error: string | undefined;
}

/** One request on a session, its answer when the stream is closed. */
export function ask2(
  session: ClientHttp2Session,
  headers: Record<string, string | string[]> = {},
  body?: string,
): Promise<Answer2> {
  return new Promise((resolve) => {
    const stream = session.request(
      { ":path": "/", ":authority": "a.example", ...headers },
      { endStream: body === undefined },
    );
    let answer: Answer2 = { status: 0, headers: {}, trailers: {}, informed: [], body: "", error: undefined };
    let text = "";
    stream.on("headers", (more) => {
      answer = { ...answer, informed: [...answer.informed, Number(more[":status"])] };
    });
    stream.on("response", (got) => {
      answer = { ...answer, status: Number(got[":status"]), headers: got };
    });
    stream.on("trailers", (got) => {
      answer = { ...answer, trailers: got };
    });
    stream.on("data", (chunk) => {
      text += chunk;
    });
    stream.on("error", (error: NodeJS.ErrnoException) => {
      answer = { ...answer, error: error.message };
    });
    stream.on("close", () => resolve({ ...answer, body: text }));
    if (body !== undefined) stream.end(body);
  });
}

/** Closes a session and waits until it is. */
export function hangUp(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve) => {
    if (session.destroyed) resolve();
    else {
      session.once("close", () => resolve());
      session.destroy();
    }
  });
}
