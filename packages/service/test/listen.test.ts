import { createServer, get, type IncomingMessage } from "node:http";
import { describe, expect, it } from "vitest";
import { closeServer, listenOn } from "../src/index.ts";

const local = { host: "127.0.0.1", port: 0 };

describe("listening", () => {
  it("gives the port got, and says in one line when it is taken", async () => {
    const first = createServer();
    const second = createServer();
    const address = await listenOn(first, local);
    expect(address.port).toBeGreaterThan(0);
    await expect(listenOn(second, address)).rejects.toMatchObject({
      code: "PORT_IN_USE",
      message: `127.0.0.1:${address.port} is in use by another process`,
    });
    await closeServer(first, 1000);
    expect(await listenOn(second, address)).toEqual(address);
    await closeServer(second, 1000);
  });

  it("says when the address is not of this machine", async () => {
    await expect(listenOn(createServer(), { host: "192.0.2.1", port: 0 })).rejects.toMatchObject({
      code: "LISTEN_FAILED",
    });
  });

  it("says when the port is refused", async () => {
    const server = createServer();
    server.listen = () => {
      server.emit("error", Object.assign(new Error("listen EACCES"), { code: "EACCES" }));
      return server;
    };
    await expect(listenOn(server, { host: "", port: 80 })).rejects.toMatchObject({
      code: "PORT_REFUSED",
      message: "this user may not listen on :80",
    });
  });
});

describe("closing", () => {
  it("is safe when not listening and twice", async () => {
    const server = createServer();
    await closeServer(server, 1000);
    await listenOn(server, local);
    await Promise.all([closeServer(server, 1000), closeServer(server, 1000)]);
  });

  it("lets a running request finish", async () => {
    let finish = (): void => {};
    const server = createServer((_, response) => {
      finish = () => response.end("done");
    });
    const arrived = new Promise((resolve) => server.once("request", resolve));
    const { port } = await listenOn(server, local);
    const answer = new Promise<IncomingMessage>((resolve, reject) =>
      get({ port, agent: false }, resolve).on("error", reject),
    );
    await arrived;
    const closed = closeServer(server, 10_000);
    finish();
    expect((await (await answer).toArray()).join("")).toBe("done");
    await closed;
  });

  it("destroys what runs at the deadline", async () => {
    const server = createServer(() => {});
    const arrived = new Promise((resolve) => server.once("request", resolve));
    const { port } = await listenOn(server, local);
    const failed = new Promise<Error>((resolve) => get({ port }).on("error", resolve));
    await arrived;
    await closeServer(server, 20);
    expect((await failed).message).toContain("socket hang up");
  });
});
