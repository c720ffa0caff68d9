import type { FastifyInstance } from "fastify";
import type { Metrics } from "../metrics.ts";

/** Health and metrics. */
export function registerOperationRoutes(
  app: FastifyInstance,
  { metrics, isReady }: { metrics: Metrics; isReady: () => Promise<boolean> },
): void {
  const open = { config: { access: "public" } } as const;
  app.get("/health/ping", open, (_request, reply) => reply.code(204).send());
  app.get("/health/live", open, async () => ({ status: "live" }));
  app.get("/health/ready", open, async (_request, reply) => {
    const ready = await isReady();
    return reply.code(ready ? 200 : 503).send({ status: ready ? "ready" : "the database does not answer" });
  });
  app.get("/metrics", { config: { access: "loopback-or-metrics" } }, async (_request, reply) =>
    reply.type(metrics.contentType).send(await metrics.text()),
  );
}
