import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Harness, redirect, startHarness } from "./manager-harness.ts";

let harness: Harness;
beforeAll(async () => {
  harness = await startHarness({ event_streams: 2 });
});
afterAll(() => harness.close());

async function listen(token = harness.admin) {
  const abort = new AbortController();
  const response = await fetch(`${harness.manager.url}/api/namespace/ns/project/prj/events`, {
    headers: { authorization: `Bearer ${token}` },
    signal: abort.signal,
  });
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  return { response, close: () => abort.abort(), read: async () => (await reader?.read())?.value };
}

describe("event streams", () => {
  it("tell the version at once and at each publish", async () => {
    const stream = await listen();
    expect(stream.response.headers.get("content-type")).toBe("text/event-stream");
    expect(await stream.read()).toMatch(/^event: version\ndata: \{"version":1,"hash":"[0-9a-f]{64}"\}\n\n$/);
    await harness.project("POST", "/redirects", redirect("/a"));
    const { json } = await harness.project("POST", "/publish");
    expect(await stream.read()).toBe(`event: version\ndata: {"version":2,"hash":"${json.hash}"}\n\n`);
    stream.close();
  });

  it("end when their token is deleted, and with the Manager", async () => {
    const json = {
      name: "listener",
      permissions: [{ namespace: "*", project: "*", resource: "*", action: "read" }],
    };
    const { id, token } = (await harness.request("POST", "/api/v1/tokens", { json })).json;
    const stream = await listen(token);
    await stream.read();
    await harness.request("DELETE", `/api/v1/tokens/${id}`);
    expect(await stream.read()).toBeUndefined();
    const other = await listen();
    await other.read();
    await harness.restart();
    expect(await other.read()).toBeUndefined();
  });

  it("are bounded", async () => {
    const open = [await listen(), await listen()];
    const third = await listen();
    expect([third.response.status, JSON.parse((await third.read()) ?? "").code]).toEqual([
      503,
      "STREAMS_TOO_MANY",
    ]);
    for (const { close } of open) close();
  });
});
