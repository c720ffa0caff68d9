import { join } from "node:path";
import { startLeekApi } from "@posthouse/testkit/leek-api";
import { describeLifecycle } from "@posthouse/testkit/lifecycle-contract";
import { createPipeline } from "../../src/events/pipeline.ts";
import { createSpool } from "../../src/spool/spool.ts";
import { leekSink, silent, soon, temporaryFolder } from "./pipeline-harness.ts";

describeLifecycle({
  name: "the pipeline",
  async create() {
    const api = await startLeekApi();
    const directory = join(await temporaryFolder(), "spool");
    const spool = createSpool({ directory, maxBytes: 1e6, log: silent });
    const sink = leekSink(api.url);
    const pipeline = createPipeline({
      ...{ name: "leek-prod", spool, sink, deadLetters: { add: () => Promise.resolve() }, log: silent },
      ...{ maxEvents: 10, maxBytes: 1e6, windowMs: 1000, concurrency: 2, delays: soon },
    });
    return {
      part: {
        async start() {
          await spool.start();
          await pipeline.start();
        },
        async stop(deadlineMs: number) {
          await pipeline.stop(deadlineMs);
          await spool.stop(deadlineMs);
          await sink.close();
          await api[Symbol.asyncDispose]();
        },
      },
    };
  },
});
