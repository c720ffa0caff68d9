import { Worker, type WorkerOptions } from "node:worker_threads";

/** A thread that reads something large and hands it over piece by piece, each when it is asked for. */
export interface ReadingThread<Message> {
  /** Asks for the next message; the first comes unasked. Throws what the thread ended with. */
  next(): Promise<Message>;
  fail(reason: unknown): void;
  end(): Promise<unknown>;
}

const memoryMb = 2048;

/** Starts it with its task as `workerData`. It answers each `"next"` with one message. */
export function startReadingThread<Message>(
  url: URL,
  task: unknown,
  transferList: WorkerOptions["transferList"] = [],
): ReadingThread<Message> {
  const worker = new Worker(url, {
    workerData: task,
    transferList,
    resourceLimits: { maxOldGenerationSizeMb: memoryMb },
  });
  let waiting = Promise.withResolvers<Message>();
  waiting.promise.catch(() => {});
  let failure: unknown;
  const fail = (reason: unknown): void => {
    failure ??= reason;
    waiting.reject(failure);
  };
  worker.on("message", (message: Message) => waiting.resolve(message));
  worker.on("error", fail);
  worker.on("exit", () => fail(new Error("the reading thread ended")));
  let isFirst = true;
  return {
    next() {
      if (!isFirst) {
        if (failure !== undefined) return Promise.reject(failure);
        waiting = Promise.withResolvers();
        worker.postMessage("next");
      }
      isFirst = false;
      return waiting.promise;
    },
    fail,
    end: () => worker.terminate(),
  };
}
