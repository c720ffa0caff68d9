/**
 * `npm run replay -- FILE [ORIGIN]`: asks a running site for every exact redirect of a list and counts right answers.
 */
import { existsSync } from "node:fs";
import { replayRedirects } from "@posthouse/testkit/replay";

const [file, origin = "http://127.0.0.1:8000"] = process.argv.slice(2);
if (file === undefined || !existsSync(file)) {
  console.error("usage: npm run replay -- FILE.tsv[.gz] [http://127.0.0.1:8000]");
  process.exit(2);
}
const startedAt = performance.now();
const { asked, right, wrong } = await replayRedirects(file, origin);
for (const line of wrong) console.log(`wrong: ${line}`);
const seconds = ((performance.now() - startedAt) / 1000).toFixed(1);
console.log(`${asked} asked in ${seconds} s`);
console.log(`${right} passed, ${asked - right} failed`);
process.exitCode = right === asked && asked > 0 ? 0 : 1;
