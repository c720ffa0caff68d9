/**
 * The server's side of the sockets of SDKs, `/streaming?type=server|client`: enough to try SDKs and the swarm without
 * an agent. Client users get what targets and the first open slice of the fallthrough say; rules are not evaluated.
 */

import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import { resetSocket } from "../reset-socket.ts";
import { writeJson } from "./dotnet-json.ts";
import type { FeatbitFaults } from "./faults.ts";
import { type Incoming, onMessages } from "./messages.ts";
import type { FeatbitUser, Flag, Secret, Segment } from "./shapes.ts";
import { decodeToken } from "./token.ts";
import type { ItemKind } from "./truth.ts";
import { type FeatbitWorld, timestampOf } from "./world.ts";

export interface SdkStream {
  readonly open: number;
  accept(query: URLSearchParams, ws: WebSocket, socket: Socket): void;
  push(envId: string, kind: ItemKind, item: Flag | Segment): void;
  close(code: number, reason: string): void;
  reset(): void;
}

interface Sdk {
  readonly secret: Secret;
  readonly ws: WebSocket;
  readonly socket: Socket;
  user: FeatbitUser | undefined;
}

const tokenToleranceMs = 30_000;

export function createSdkStream(world: FeatbitWorld, faults: FeatbitFaults): SdkStream {
  const sdks = new Set<Sdk>();

  function take(sdk: Sdk, { type, data }: Incoming): void {
    if (faults.silent) return;
    if (type === "ping") sdk.ws.send('{"messageType":"pong","data":{}}');
    else if (type === "echo") sdk.ws.send(writeJson({ messageType: "echo", data }));
    else if (type === "data-sync") sync(sdk, (data ?? {}) as { timestamp?: unknown; user?: FeatbitUser });
  }

  function sync(sdk: Sdk, { timestamp = 0, user }: { timestamp?: unknown; user?: FeatbitUser }): void {
    if (typeof timestamp !== "number") return;
    if (sdk.secret.type === "client") {
      if (typeof user?.keyId !== "string" || user.keyId.trim() === "") return;
      sdk.user = user;
    }
    const since = timestamp === 0 ? Number.NEGATIVE_INFINITY : timestamp;
    const { featureFlags, segments } = world.changesSince(sdk.secret.envId, since);
    send(sdk, timestamp === 0 ? "full" : "patch", featureFlags, segments);
  }

  function send(
    { ws, secret, user }: Sdk,
    eventType: string,
    flags: readonly Flag[],
    segments: readonly Segment[],
  ): void {
    const data =
      secret.type === "server"
        ? { eventType, featureFlags: flags, segments }
        : user && {
            eventType,
            userKeyId: user.keyId,
            featureFlags: flags.map((flag) => evaluate(flag, user)),
          };
    if (data !== undefined && !faults.silent) ws.send(writeJson({ messageType: "data-sync", data }));
  }

  return {
    get open() {
      return sdks.size;
    },
    accept(query, ws, socket) {
      ws.on("error", () => ws.terminate());
      const token = decodeToken(query.get("token") ?? "");
      const secret = token && world.findSecret(token.secret);
      const isTimely = token !== undefined && Math.abs(Date.now() - token.timeMs) <= tokenToleranceMs;
      if (secret === undefined || secret.type !== query.get("type") || !isTimely) {
        return ws.close(4003, "invalid request, close by server");
      }
      const sdk: Sdk = { secret, ws, socket, user: undefined };
      sdks.add(sdk);
      ws.on("close", () => sdks.delete(sdk));
      onMessages(ws, socket, (message) => take(sdk, message));
    },
    push(envId, kind, item) {
      for (const sdk of sdks) {
        if (sdk.secret.envId !== envId) continue;
        if (kind === "flag") send(sdk, "patch", [item as Flag], []);
        else if (sdk.secret.type === "server") send(sdk, "patch", [], [item as Segment]);
        else send(sdk, "patch", world.flagsWith(envId, item.id), []);
      }
    },
    close(code, reason) {
      for (const { ws } of sdks) ws.close(code, reason);
    },
    reset() {
      for (const { socket } of sdks) resetSocket(socket);
    },
  };
}

function evaluate(flag: Flag, user: FeatbitUser): unknown {
  const target = flag.targetUsers.find(({ keyIds }) => keyIds.includes(user.keyId));
  const slice = flag.fallthrough.variations.find(({ rollout: [min, max] }) => max > min);
  const [variationId, matchReason] = !flag.isEnabled
    ? [flag.disabledVariationId, "flag disabled"]
    : target === undefined
      ? [slice?.id ?? "", "default"]
      : [target.variationId, "targeted"];
  return {
    id: flag.key,
    variation: flag.variations.find(({ id }) => id === variationId)?.value ?? "",
    variationType: flag.variationType,
    variationId,
    matchReason,
    variationOptions: flag.variations.map(({ id, value }) => ({ id, value })),
    sendToExperiment: false,
    timestamp: timestampOf(flag),
  };
}
