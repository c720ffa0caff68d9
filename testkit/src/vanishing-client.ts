import { connect, type Socket } from "node:net";

/** At which moment a client goes away, or what else it does; `stays` reads the whole answer. */
export type ClientFault = (typeof clientFaults)[number];

export const clientFaults = [
  "stays",
  "vanishes within the head",
  "vanishes after the head",
  "vanishes within the upload",
  "vanishes within the download",
  "vanishes in the tunnel",
  "resets within the head",
  "resets after the head",
  "resets within the upload",
  "resets within the download",
  "resets in the tunnel",
  "ends its side after the head",
  "stops within the upload",
  "stops reading",
] as const;

export interface ClientRequest {
  readonly port: number;
  readonly host: string;
  /** As a backend fault names it. */
  readonly path: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly upgrade: boolean;
  readonly fault: ClientFault;
  /** Milliseconds after which one that stops goes. */
  readonly patienceMs: number;
}

export interface ClientOutcome {
  /** Everything that arrived, as latin1. */
  readonly received: string;
  readonly reset: boolean;
  /** Neither side closed the connection in 15 seconds. */
  readonly stuck: boolean;
}

const uploadBytes = 100_000;
const stuckMs = 15_000;

/** Sends one request on a connection of its own; resolves when the connection is closed. Never rejects. */
export function runClient(request: ClientRequest): Promise<ClientOutcome> {
  const { port, fault } = request;
  return new Promise((resolve) => {
    let received = "";
    let reset = false;
    let stuck = false;
    const socket = connect({ port, host: "127.0.0.1" });
    const timer = setTimeout(() => {
      stuck = true;
      socket.destroy();
    }, stuckMs);
    socket.on("error", () => {
      reset = true;
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ received, reset, stuck });
    });
    socket.on("data", (bytes: Buffer) => {
      received += bytes.toString("latin1");
      if (fault.endsWith("the download") || fault.endsWith("the tunnel")) leave(socket, fault);
      else if (fault === "stops reading") goLater(socket.pause(), request.patienceMs);
      else if (request.upgrade && received.endsWith("hello")) socket.end("bye");
    });
    socket.on("connect", () => send(socket, request));
  });
}

function send(socket: Socket, request: ClientRequest): void {
  const { fault, method, patienceMs } = request;
  const head = headOf(request);
  if (fault.endsWith("within the head")) {
    socket.write(head.slice(0, head.length - 7), () => leave(socket, fault));
    return;
  }
  if (method !== "GET") {
    const isPartial = fault.endsWith("within the upload");
    socket.write(head);
    socket.write("u".repeat(isPartial ? uploadBytes / 2 : uploadBytes), () => {
      if (fault === "stops within the upload") goLater(socket, patienceMs);
      else if (isPartial) leave(socket, fault);
    });
  } else socket.write(head);
  if (fault.endsWith("after the head")) leave(socket, fault);
}

function headOf({ host, path, method, upgrade }: ClientRequest): string {
  const lines = [`${method} /${encodeURIComponent(path)}/x HTTP/1.1`, `Host: ${host}`];
  if (method !== "GET") lines.push(`Content-Length: ${uploadBytes}`);
  lines.push(...(upgrade ? ["Connection: Upgrade", "Upgrade: echo"] : ["Connection: close"]));
  return `${lines.join("\r\n")}\r\n\r\n`;
}

function leave(socket: Socket, fault: ClientFault): void {
  if (fault.startsWith("resets")) socket.resetAndDestroy();
  else if (fault.startsWith("ends")) socket.end();
  else socket.destroy();
}

function goLater(socket: Socket, ms: number): void {
  setTimeout(() => socket.destroy(), ms);
}
