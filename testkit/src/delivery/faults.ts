import type { FaultPlan, HttpFault } from "../http-faults.ts";
import { leekFault } from "../leek-api.ts";
import type { IndexedDocument } from "../leek-index.ts";
import type { Random } from "./random.ts";
import type { SentMessage } from "./traffic.ts";
import type { Trouble } from "./trouble.ts";
import { exchangeOf, outputLimit, sinkNames, type World } from "./world.ts";

export interface Fault {
  readonly name: string;
  /** How often it is drawn beside the others. Default 1. */
  readonly weight?: number;
  /** Takes long: not for those who want each once. */
  readonly isLong?: boolean;
  /** Begins, lasts and ends it. */
  run(trouble: Trouble, random: Random): Promise<void>;
}

/** Those of one lane come one after another; lanes know nothing of each other. */
export interface Lane {
  readonly name: string;
  readonly faults: readonly Fault[];
  /** Between two faults. */
  readonly pauseMs: readonly [least: number, most: number];
}

/** Larger than any event or document alone, smaller than most batches. */
const largestBody = 40 * 1024;
/** Of one event of a flood. */
const ballastBytes = 30_000;

export function lanesOf(world: World, hasClock: boolean): Lane[] {
  return [
    { name: "receivers", faults: receiverFaults, pauseMs: [50, 800] },
    { name: "broker", faults: world.kind === "redis" ? redisFaults : rabbitFaults, pauseMs: [300, 3000] },
    { name: "agent", faults: [...processFaults, ...(hasClock ? [clockJump] : [])], pauseMs: [200, 3500] },
    ...("missing" in world.disk
      ? []
      : [{ name: "disk", faults: [fullDisk], pauseMs: [2000, 12_000] } as const]),
  ];
}

const plansOf = ({ webhook, leek }: World): readonly [FaultPlan, FaultPlan] => [webhook.faults, leek.faults];

/** For the next requests to both. */
function next(name: string, ...faults: readonly HttpFault[]): Fault {
  return {
    name,
    async run({ world, isBrisk }, random) {
      const times = isBrisk ? 1 : 1 + random.below(2);
      for (const plan of plansOf(world))
        plan.plan(...Array.from({ length: times }, () => faults).flat(), undefined);
      if (!isBrisk) await untilTaken(world, 3000);
    },
  };
}

/** Until the faults that were planned were met, or the time is over: nothing may come for a while. */
export async function untilTaken(world: World, withinMs: number): Promise<void> {
  const plans = plansOf(world);
  const endsAt = performance.now() + withinMs;
  while (plans.some(({ left }) => left > 0) && performance.now() < endsAt)
    await new Promise((resolve) => setTimeout(resolve, 20));
}

/** For all requests to both, for a while. */
function always(name: string, fault: HttpFault, [least, most]: readonly [number, number]): Fault {
  return {
    name,
    async run(trouble, random) {
      for (const plan of plansOf(trouble.world)) plan.always = fault;
      await trouble.pause(random.between(least, most));
      for (const plan of plansOf(trouble.world)) plan.always = undefined;
    },
  };
}

/** Leek's index refuses one document, this once: it stands anywhere in a request. */
function refusesOnce(name: string, answer: "processed" | "fewer" | "conflict"): Fault {
  return {
    name,
    async run({ world, pause }, random) {
      let left = 1 + random.below(40);
      let refused: IndexedDocument | undefined;
      const is = (document: IndexedDocument): boolean => {
        if (refused === undefined && --left === 0) refused = document;
        return document === refused;
      };
      world.leek.poison = { is, answer };
      await pause(random.between(300, 1200));
      world.leek.poison = undefined;
    },
  };
}

const status = (code: number, headers?: Readonly<Record<string, string>>): HttpFault =>
  leekFault.status(code, headers);

const receiverFaults: readonly Fault[] = [
  next("500", status(500)),
  next("503", status(503)),
  next("429 with Retry-After", status(429, { "retry-after": "1" })),
  next("no answer in time", { kind: "hangs" }),
  next("an answer that is too late", { kind: "slow", delayMs: 2500 }),
  next("half an answer", { kind: "half" }),
  next("no answer, though it was taken", { kind: "silent" }),
  next("no HTTP", { kind: "garbage" }),
  refusesOnce("201 with fewer stored", "fewer"),
  refusesOnce("201 Processed", "processed"),
  refusesOnce("409", "conflict"),
  always("503 for a while", status(503), [500, 2500]),
  always("resets", { kind: "resets" }, [300, 2000]),
  always("slow", { kind: "slow", delayMs: 300 }, [500, 2000]),
  {
    name: "413",
    async run({ world, pause }, random) {
      world.webhook.limitBytes = largestBody;
      world.leek.maxBodyBytes = largestBody;
      await pause(random.between(800, 2500));
      world.webhook.limitBytes = Number.POSITIVE_INFINITY;
      world.leek.maxBodyBytes = Number.POSITIVE_INFINITY;
    },
  },
];

const reset: Fault = {
  name: "connection reset",
  weight: 3,
  run: (trouble) => trouble.cut("connection reset", async () => trouble.world.proxy.reset()),
};

const hang: Fault = {
  name: "the network hangs",
  weight: 2,
  async run(trouble, random) {
    const { proxy } = trouble.world;
    await trouble.holdUp("a hanging network", 500, async () => {
      proxy.hangs(true);
      await trouble.pause(random.between(200, 2500));
      proxy.hangs(false);
    });
  },
};

const restart: Fault = {
  name: "broker restart",
  async run(trouble) {
    const { broker } = trouble.world;
    await trouble.cut("broker restart", async () => {
      await broker.stop();
      await broker.start();
    });
  },
};

const gone: Fault = {
  name: "broker killed, and gone for a while",
  async run(trouble, random) {
    const { broker } = trouble.world;
    await trouble.cut("broker gone", async () => {
      await broker.kill();
      await trouble.pause(random.between(200, 3000));
      await broker.start();
    });
  },
};

const disconnected: Fault = {
  name: "Redis disconnects its listeners",
  run: (trouble) => trouble.cut("disconnect", () => trouble.askRedis("CLIENT", "KILL", "TYPE", "pubsub")),
};

/** More comes than Redis keeps for a client that does not read. */
const outputCut: Fault = {
  name: "Redis cuts a client that is too slow",
  async run(trouble) {
    const { world } = trouble;
    await trouble.cut("output-buffer cut", async () => {
      world.proxy.hangs(true);
      const endsAt = performance.now() + 10_000;
      while ((await world.listeners()) !== 0 && performance.now() < endsAt) await sendBallast(world);
      world.proxy.hangs(false);
    });
  },
};

/** More comes than the agent may keep in memory while the disk takes nothing. */
const overflow: Fault = {
  name: "more than memory holds, on a full disk",
  isLong: true,
  async run(trouble) {
    const { world } = trouble;
    const { disk } = world;
    if ("missing" in disk) return;
    await trouble.askRedis("CONFIG", "SET", "client-output-buffer-limit", "pubsub 0 0 0");
    await trouble.overflow(async () => {
      for (let sent = 0; sent < overflowMessages; sent += 50) {
        // What is delivered meanwhile makes room.
        await disk.fill();
        await Promise.all(Array.from({ length: 50 }, () => sendBallast(world)));
      }
    });
    await trouble.askRedis("CONFIG", "SET", "client-output-buffer-limit", outputLimit);
  },
};

/** Together, encoded as kombu does, more than 64 MiB. */
const overflowMessages = 1800;
let ballasts = 0;

/** One to each sink. */
async function sendBallast({ ledgers, producer }: World): Promise<void> {
  await Promise.all(
    sinkNames.map(async (sink) => {
      const message = ballast();
      const answered = ledgers[sink].begin(message);
      answered(await producer.send(exchangeOf(sink), message.body));
    }),
  );
}

function ballast(): SentMessage {
  const clock = 1_000_000_000 + ++ballasts;
  const event = {
    ...{
      type: "task-succeeded",
      uuid: `ballast-${clock}`,
      clock,
      timestamp: 1_795_223_000.5,
      hostname: "w1@vm",
    },
    ...{ utcoffset: 0, pid: 7, result: "x".repeat(ballastBytes), runtime: 1 },
  };
  return { events: [event], isPoison: false, body: JSON.stringify(event) };
}

const rabbitFaults: readonly Fault[] = [reset, hang, restart, gone];
const redisFaults: readonly Fault[] = [reset, hang, disconnected, outputCut, overflow, restart, gone];

const processFaults: readonly Fault[] = [
  {
    name: "kill -9",
    weight: 3,
    async run(trouble, random) {
      await trouble.endAgent("SIGKILL");
      await trouble.pause(random.between(0, 800));
      await trouble.world.agent.start();
    },
  },
  {
    name: "kill -9 while it starts",
    async run(trouble, random) {
      const { agent } = trouble.world;
      await trouble.endAgent("SIGKILL");
      const starting = agent.start();
      await trouble.pause(random.between(0, 2500));
      await trouble.endAgent("SIGKILL");
      await starting;
      await agent.start();
    },
  },
  {
    name: "SIGTERM",
    weight: 2,
    async run(trouble, random) {
      await trouble.endAgent("SIGTERM");
      await trouble.pause(random.between(0, 800));
      await trouble.world.agent.start();
    },
  },
];

/** Hours or days, in either direction, for the running agent. */
const clockJump: Fault = {
  name: "clock jump",
  async run({ world }, random) {
    await world.agent.setClock(Math.round(random.between(-1, 1) * random.pick([600, 7200, 200_000])));
  },
};

const fullDisk: Fault = {
  name: "full disk",
  run: (trouble, random) =>
    trouble.fullDisk({ files: random.below(2) === 0 }, () => trouble.pause(random.between(500, 2500))),
};
