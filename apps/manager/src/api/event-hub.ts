import type { ServerResponse } from "node:http";
import type { VersionEvent } from "@posthouse/protocol";
import { errors } from "../errors.ts";
import type { Subject } from "../store/subject.ts";

/** Open event streams by project. */
export interface EventHub {
  readonly streams: number;
  /** Takes over a response. @throws STREAMS_TOO_MANY */
  open(projectId: number, subject: Subject, response: ServerResponse, now: VersionEvent): void;
  publish(projectId: number, event: VersionEvent): void;
  /** Ends the streams of a token that was deleted or may do other things now. */
  closeToken(tokenId: number): void;
  /** Ends the streams of everybody who is logged in: somebody's rights changed. */
  closeUsers(): void;
  /** Ends the streams of projects that were removed. */
  closeProjects(projectIds: readonly number[]): void;
  close(): void;
}

const heartbeatMs = 15_000;
const maxUnreadBytes = 64 * 1024;

interface Stream {
  readonly projectId: number;
  readonly subject: Subject;
  readonly response: ServerResponse;
}

export function createEventHub(maxStreams: number): EventHub {
  const streams = new Set<Stream>();
  const send = (stream: Stream, text: string): void => {
    if (stream.response.writableLength > maxUnreadBytes) stream.response.destroy();
    else stream.response.write(text);
  };
  const end = (isMeant: (stream: Stream) => boolean): void => {
    for (const stream of streams) if (isMeant(stream)) stream.response.end();
  };
  const isOver = ({ subject }: Stream): boolean =>
    subject.expiresAt !== undefined && subject.expiresAt <= Date.now();
  const heartbeat = setInterval(() => {
    for (const stream of streams) {
      if (isOver(stream)) stream.response.end();
      else send(stream, ":\n\n");
    }
  }, heartbeatMs);
  heartbeat.unref();
  return {
    get streams() {
      return streams.size;
    },
    open(projectId, subject, response, now) {
      if (streams.size >= maxStreams) throw errors.create("STREAMS_TOO_MANY");
      const stream = { projectId, subject, response };
      streams.add(stream);
      response.on("close", () => streams.delete(stream));
      response.on("error", () => streams.delete(stream));
      response.writeHead(200, {
        "content-type": "text/event-stream",
        "cache-control": "no-store",
        "x-accel-buffering": "no",
      });
      send(stream, formatEvent(now));
    },
    publish(projectId, event) {
      const text = formatEvent(event);
      for (const stream of streams) if (stream.projectId === projectId) send(stream, text);
    },
    closeToken: (tokenId) => end(({ subject }) => subject.kind === "token" && subject.id === tokenId),
    closeUsers: () => end(({ subject }) => subject.kind === "user"),
    closeProjects: (ids) => end(({ projectId }) => ids.includes(projectId)),
    close() {
      clearInterval(heartbeat);
      for (const { response } of streams) response.end();
    },
  };
}

function formatEvent(event: VersionEvent): string {
  return `event: version\ndata: ${JSON.stringify(event)}\n\n`;
}
