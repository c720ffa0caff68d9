/** A flag source in a process of its own, that prints what it serves from disk: arguments DIRECTORY, URL, KEY. */
import { createLog } from "@posthouse/service";
import { flagSourceSchema } from "../../src/config/flag-source.ts";
import { createFlagSource } from "../../src/replica/featbit/flag-source.ts";
import { createFlagStore } from "../../src/replica/featbit/flag-store.ts";
import { createBackup } from "../../src/replica/featbit/manual.ts";

const [state = "", streaming_uri, api_key] = process.argv.slice(2);
const log = createLog({ format: "json", level: "silent" });
const store = createFlagStore({ log });
const source = createFlagSource({
  config: flagSourceSchema.parse({ streaming_uri, api_key }),
  agentName: "killed",
  state,
  store,
  log,
  timing: { debounceMs: 5, backoff: { firstMs: 10 } },
});
await source.start();
console.log(JSON.stringify(createBackup(store.state)));
