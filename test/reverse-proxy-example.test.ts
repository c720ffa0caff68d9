/** examples/reverse-proxy works as it is, on other ports and in another folder; systemd understands its unit. */
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createTestAuthority } from "@posthouse/testkit/certificates";
import { type PosthouseProcess, startPosthouse } from "@posthouse/testkit/posthouse-process";
import { needPackage } from "@posthouse/testkit/services";
import { expect, it } from "vitest";

const example = join(import.meta.dirname, "..", "examples", "reverse-proxy");
const unit = readFileSync(join(example, "posthouse-agent.service"), "utf8");
const openssl = await needPackage("openssl", "openssl");
if ("missing" in openssl) console.warn(`SKIPPED: ${openssl.missing}`);
const analyze = "/usr/bin/systemd-analyze";
if (!existsSync(analyze)) console.warn("SKIPPED: systemd-analyze is not there to check the unit");

it.skipIf("missing" in openssl)(
  "redirects to HTTPS, and forwards what comes there",
  async () => {
    const folder = await mkdtemp(join(tmpdir(), "posthouse-example-"));
    const backend = createServer(
      (incoming, response) => void response.end(`backend of ${incoming.headers.host}`),
    );
    await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
    let agent: PosthouseProcess | undefined;
    try {
      await mkdir(join(folder, "tls"));
      const authority = createTestAuthority("path" in openssl ? openssl.path : "", join(folder, "tls"));
      authority.issue({ file: "shop", names: ["DNS:shop.example.com"] });
      const text = readFileSync(join(example, "posthouse.yaml"), "utf8")
        .replace(/\/var\/(?:lib|log)\/posthouse/g, folder)
        .replace(/listen: \S*:\d+/g, "listen: 127.0.0.1:0")
        .replace("127.0.0.1:3000", `127.0.0.1:${(backend.address() as AddressInfo).port}`);
      await writeFile(join(folder, "posthouse.yaml"), text);
      copyFileSync(join(example, "_redirects"), join(folder, "_redirects"));
      agent = startPosthouse(["agent", "-c", join(folder, "posthouse.yaml")]);
      const [line = ""] = await agent.printed(/^.*"agent started".*$/m, 30_000);
      const { sites } = JSON.parse(line) as { sites: [string, string] };
      const answer = await fetch(`http://${sites[0]}/a/b?c=d`, { redirect: "manual" });
      expect([answer.status, answer.headers.get("location")]).toEqual([
        301,
        "https://shop.example.com/a/b?c=d",
      ]);
      const [host, port] = sites[1].split(":");
      const body = await new Promise<string>((resolve, reject) => {
        const options = { host, port, servername: "shop.example.com", ca: readFileSync(authority.ca) };
        request({ ...options, headers: { host: "shop.example.com" } }, async (response) => {
          resolve((await response.toArray()).join(""));
        })
          .on("error", reject)
          .end();
      });
      expect(body).toBe("backend of shop.example.com");
      agent.signal("SIGTERM");
      await agent.exited;
      expect(readFileSync(join(folder, "shop.log"), "utf8")).toMatch(/"GET \/ HTTP\/1\.1" 200 27 /);
    } finally {
      agent?.signal("SIGKILL");
      await agent?.exited;
      await new Promise((resolve) => backend.close(resolve));
      await rm(folder, { recursive: true, force: true });
    }
  },
  90_000,
);

it("the unit starts what the example configures, with room for its stop", () => {
  expect(unit).toMatch(/^ExecStart=\S+\/posthouse agent -c \/etc\/posthouse\/posthouse\.yaml$/m);
  expect(Number(/^TimeoutStopSec=(\d+)s$/m.exec(unit)?.[1])).toBeGreaterThan(10);
});

it.skipIf(!existsSync(analyze))("the unit is one that systemd understands", async () => {
  const folder = await mkdtemp(join(tmpdir(), "posthouse-unit-"));
  try {
    const file = join(folder, "posthouse-agent.service");
    await writeFile(file, unit.replace("/usr/local/bin/posthouse", process.execPath));
    const { stdout, stderr } = spawnSync(analyze, ["verify", "--man=no", file], { encoding: "utf8" });
    const about = `${stdout}${stderr}`.split("\n").filter((line) => line.includes("posthouse-agent.service"));
    expect(about).toEqual([]);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
