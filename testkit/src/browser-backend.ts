import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type WebSocket, WebSocketServer } from "ws";

/** A site with what browsers do to one: subresources, a large file, an upload, events, a chat. */
export interface BrowserBackend extends AsyncDisposable {
  readonly url: string;
  /** SHA-256 of `/large`, in hex. */
  readonly largeHash: string;
  /** Paths asked for, in order. */
  readonly asked: readonly string[];
  /** Sends the next event to everyone who listens to `/events`. */
  sendEvent(data: string): void;
  /** How many listen to `/events`. */
  readonly listeners: number;
}

const page = `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>A site</title><link rel="stylesheet" href="/style.css"></head>
<body>
<h1>A site</h1>
<img id="dot" src="/dot.svg" alt="">
<form action="/upload" method="post" enctype="multipart/form-data">
<input name="note"><input type="file" name="file"><button>Send</button>
</form>
<script type="module" src="/site.js"></script>
</body>
</html>
`;

const files: Readonly<Record<string, readonly [type: string, text: string]>> = {
  "/": ["text/html; charset=utf-8", page],
  "/style.css": ["text/css", "h1 { color: rgb(1, 2, 3); }\n"],
  "/site.js": ["text/javascript", 'import { name } from "/name.js";\ndocument.body.dataset.script = name;\n'],
  "/name.js": ["text/javascript", 'export const name = "ran";\n'],
  "/dot.svg": ["image/svg+xml", '<svg xmlns="http://www.w3.org/2000/svg" width="7" height="5"></svg>\n'],
};

/** Starts it on a free port of 127.0.0.1. */
export async function startBrowserBackend(options: { readonly largeBytes: number }): Promise<BrowserBackend> {
  const large = randomBytes(options.largeBytes);
  const asked: string[] = [];
  const listening = new Set<ServerResponse>();

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { pathname } = new URL(request.url ?? "/", "http://backend");
    asked.push(pathname);
    const [type, text] = files[pathname] ?? [];
    if (type !== undefined) {
      response
        .writeHead(200, { "content-type": type, "set-cookie": ["a=1; Path=/", "b=2; Path=/"] })
        .end(text);
    } else if (pathname === "/large") {
      response.writeHead(200, { "content-type": "application/octet-stream" }).end(large);
    } else if (pathname === "/upload") {
      response.writeHead(200, { "content-type": "text/html; charset=utf-8" }).end(await uploaded(request));
    } else if (pathname === "/events") {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-store" });
      response.flushHeaders();
      listening.add(response);
      response.on("close", () => listening.delete(response));
    } else response.writeHead(404).end("nothing here\n");
  }

  const server = createServer((request, response) => {
    answer(request, response).catch((error: unknown) => response.writeHead(500).end(String(error)));
  });
  const chat = new WebSocketServer({ server, path: "/chat" });
  chat.on("connection", (socket: WebSocket) => {
    socket.on("message", (message, isBinary) => {
      for (const other of chat.clients) if (other !== socket) other.send(message, { binary: isBinary });
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    largeHash: sha256(large),
    asked,
    sendEvent(data) {
      for (const response of listening) response.write(`data: ${data}\n\n`);
    },
    get listeners() {
      return listening.size;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of chat.clients) socket.terminate();
      chat.close();
      server.close();
      server.closeAllConnections();
      if (server.listening) await once(server, "close");
    },
  };
}

/** What came in a multipart body: the text field, and name, size and hash of the file. */
async function uploaded(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  const headers = { "content-type": request.headers["content-type"] ?? "" };
  const form = await new Response(Buffer.concat(chunks), { headers }).formData();
  const file = form.get("file") as File;
  const hash = sha256(Buffer.from(await file.arrayBuffer()));
  return `<!doctype html><title>Uploaded</title><p>${String(form.get("note"))} ${file.name} ${file.size} ${hash}</p>`;
}

const sha256 = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
