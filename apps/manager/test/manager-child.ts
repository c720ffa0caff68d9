/** A Manager in a process of its own, to be killed. Arguments: database path, admin token. Prints its URL. */
import { createManager } from "../src/index.ts";
import { configFor, everything, silentLog } from "./manager-harness.ts";

const [, , databasePath = ""] = process.argv;
const manager = createManager(configFor(databasePath), { log: silentLog });
await manager.start();
console.log(JSON.stringify({ url: manager.url, token: await manager.issueToken("child", everything) }));
