/** What a connection passes before HTTP is spoken on it: the PROXY header of a load balancer, then TLS. */
import type { Socket } from "node:net";
import type { IpNetworks } from "./ip-networks.ts";
import { peerOf, setPeer } from "./peer.ts";
import { takeProxyHeader } from "./proxy-header.ts";
import type { Tls } from "./tls.ts";

export interface Door {
  /**
   * Calls `entered` with the connection that HTTP is spoken on, or `refused`, after which the connection is closed.
   */
  enter(
    socket: Socket,
    entered: (socket: Socket, protocol: "http/1.1" | "h2") => void,
    refused: (what: "tls" | "proxy_protocol", reason: string) => void,
  ): void;
}

export interface DoorOptions {
  /** Peers that begin with a PROXY header. */
  readonly announcing: IpNetworks;
  readonly tls: Tls | undefined;
}

export function createDoor({ announcing, tls }: DoorOptions): Door {
  return {
    enter(socket, entered, refused) {
      const secure = (): void => {
        if (tls === undefined) {
          entered(socket, "http/1.1");
          return;
        }
        tls.accept(
          socket,
          (secured) => {
            setPeer(secured, peerOf(socket));
            const protocol = secured.alpnProtocol === "h2" ? "h2" : "http/1.1";
            // In a tunnel a client may end its side and still listen.
            secured.allowHalfOpen = protocol === "http/1.1";
            entered(secured, protocol);
          },
          (reason) => refused("tls", reason),
        );
      };
      const peer = peerOf(socket);
      if (announcing.isEmpty || peer === undefined || !announcing.has(peer)) {
        secure();
        return;
      }
      takeProxyHeader(
        socket,
        (source) => {
          if (source !== undefined) setPeer(socket, source);
          secure();
        },
        (reason) => refused("proxy_protocol", reason),
      );
    },
  };
}
