import { get, Agent as HttpAgent, type IncomingMessage } from "node:http";
import { createServer } from "node:net";
import { closeServer, listenOn } from "@posthouse/service";
import { describe, expect, it } from "vitest";
import { startFakeManager } from "./fake-manager.ts";
import { basic, portOf, startHarness } from "./harness.ts";

async function freePorts(): Promise<[number, number]> {
  const [one, two] = [createServer(), createServer()];
  const here = { host: "127.0.0.1", port: 0 };
  const [first, second] = [(await listenOn(one, here)).port, (await listenOn(two, here)).port];
  await Promise.all([closeServer(one, 0), closeServer(two, 0)]);
  return [first, second];
}

/** Asks over connections that are kept; resolves with status, Location and the connection's own port. */
function asker(port: number) {
  const agent = new HttpAgent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: (path: string, host = "a.example") =>
      new Promise<{ status?: number; location?: string; from?: number }>((resolve, reject) => {
        get({ port, path, agent, headers: { host } }, (response: IncomingMessage) => {
          const from = response.socket.localPort;
          const { statusCode: status, headers } = response;
          response.resume().on("end", () =>
            resolve({
              ...(status && { status }),
              ...(headers.location && { location: headers.location }),
              ...(from && { from }),
            }),
          );
        }).on("error", reject);
      }),
    close: () => agent.destroy(),
  };
}

describe("reload", () => {
  it("keeps listeners and connections, and changes hosts at once", async () => {
    await using harness = await startHarness();
    const client = asker(harness.sitePort);
    const before = await client.ask("/old");
    const { addresses } = harness.agent;
    await harness.agent.reload(harness.config({ hosts: [{ match: ["b.example"], project: "shop" }] }));
    expect(harness.agent.addresses).toEqual(addresses);
    const gone = await client.ask("/old");
    const there = await client.ask("/old", "b.example");
    expect([before.status, gone.status, there.status]).toEqual([302, 404, 302]);
    expect(new Set([before.from, gone.from, there.from]).size).toBe(1);
    client.close();
  });

  it("takes over a changed project once it has its rules", async () => {
    await using harness = await startHarness();
    const other = await startFakeManager([basic("/old", "/from-the-other")]);
    try {
      await harness.agent.reload(harness.config({ managerUrl: other.url }));
      const client = asker(harness.sitePort);
      expect((await client.ask("/old")).location).toBe("/from-the-other");
      client.close();
    } finally {
      await other.stop();
    }
  });

  it("uses a new token without losing the rules, though the Manager refuses it", async () => {
    await using harness = await startHarness();
    await harness.agent.reload(harness.config({ token: "wrong" }));
    const client = asker(harness.sitePort);
    expect((await client.ask("/old")).status).toBe(302);
    client.close();
  });

  it("keeps the old configuration when the new one cannot listen, and says why", async () => {
    await using harness = await startHarness();
    const other = createServer();
    const { port } = await listenOn(other, { host: "127.0.0.1", port: 0 });
    const bad = harness.config({
      hosts: [{ match: ["b.example"], project: "shop" }],
      extraSite: `127.0.0.1:${port}`,
    });
    await expect(harness.agent.reload(bad)).rejects.toMatchObject({ code: "PORT_IN_USE" });
    const client = asker(harness.sitePort);
    expect((await client.ask("/old")).status).toBe(302);
    expect(harness.entries).toContainEqual(
      expect.objectContaining({
        level: "error",
        msg: "the changed configuration is not used; the old one goes on",
      }),
    );
    await closeServer(other, 0);
    await harness.agent.reload(bad);
    expect(portOf(harness.agent.addresses.sites[1])).toBe(port);
    expect((await client.ask("/old", "b.example")).status).toBe(302);
    client.close();
  });

  it("keeps the old project when the changed one gets no rules", async () => {
    await using harness = await startHarness();
    const change = { managerUrl: "http://127.0.0.1:9" };
    await expect(harness.agent.reload(harness.config(change))).rejects.toMatchObject({
      code: "RELOAD_NOT_READY",
    });
    const client = asker(harness.sitePort);
    expect((await client.ask("/old")).status).toBe(302);
    client.close();
  });

  it("closes a listener that is no longer wanted, after its running requests", async () => {
    await using harness = await startHarness(undefined, { extraSite: "127.0.0.1:0" });
    const port = portOf(harness.agent.addresses.sites[1]);
    const client = asker(port);
    expect((await client.ask("/old")).status).toBe(302);
    await harness.agent.reload(harness.config({ extraSite: "" }));
    expect(harness.agent.addresses.sites).toHaveLength(1);
    await expect(client.ask("/old")).rejects.toThrow();
    client.close();
  });

  it("lets the admin address and a site change places", async () => {
    await using harness = await startHarness();
    const [one, two] = await freePorts();
    await harness.agent.reload(
      harness.config({ adminListen: `127.0.0.1:${one}`, listen: `127.0.0.1:${two}` }),
    );
    const [admin, site] = [asker(one), asker(two)];
    expect((await admin.ask("/health/live")).status).toBe(200);
    const before = await site.ask("/old");
    expect(before.status).toBe(302);
    await harness.agent.reload(
      harness.config({ adminListen: `127.0.0.1:${two}`, listen: `127.0.0.1:${one}` }),
    );
    const after = await site.ask("/health/live");
    expect([after.status, after.from]).toEqual([200, before.from]);
    expect((await admin.ask("/old")).status).toBe(302);
    const text = await (await fetch(`http://127.0.0.1:${two}/metrics`)).text();
    const counted = (listener: string): number =>
      Number(new RegExp(`requests_total\\{listener="${listener}"\\} (\\d+)`).exec(text)?.[1]);
    expect([counted(`site 127.0.0.1:${one}`), counted(`site 127.0.0.1:${two}`)]).toEqual([1, 1]);
    for (const client of [admin, site]) client.close();
  });

  it("is refused when the agent does not run", async () => {
    const harness = await startHarness();
    await harness[Symbol.asyncDispose]();
    await expect(harness.agent.reload(harness.config())).rejects.toMatchObject({ code: "AGENT_NOT_RUNNING" });
  });
});
