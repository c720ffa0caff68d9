/** `leek-api-process.ts`: a Leek API that stores nothing, in a process of its own, for measurements; says its address. */
import { startLeekApi } from "./leek-api.ts";

const api = await startLeekApi({ isForgetful: true });
console.log(api.url);
