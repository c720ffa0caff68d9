import * as z from "zod";
import type { Stores } from "../store/stores.ts";
import { type ProjectParams, subjectOf } from "./auth.ts";
import { answers, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

interface FleetQuery {
  readonly status?: "success" | "error" | undefined;
  readonly type?: "default" | "traefik" | undefined;
  readonly search?: string | undefined;
  readonly online?: boolean | undefined;
  readonly lagging?: boolean | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

const fleetQuery: z.ZodType<FleetQuery> = z.object({
  status: z.enum(["success", "error"]).optional(),
  type: z.enum(["default", "traefik"]).optional(),
  search: z.string().max(100).optional(),
  online: z.stringbool().optional(),
  lagging: z.stringbool().optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.string().max(200).optional(),
});

const agentAnswer = z.object({
  name: z.string(),
  type: z.string(),
  status: z.string(),
  version: z.number(),
  lag: z.number(),
  loadDuration: z.number(),
  error: z.string(),
  online: z.boolean(),
  createdAt: z.string(),
  updatedAt: z.string(),
  lastHitAt: z.string(),
});

const fleetAnswer: z.ZodType<{
  version: number;
  items: z.infer<typeof agentAnswer>[];
  next?: string | undefined;
}> = z.object({ version: z.number(), items: z.array(agentAnswer), next: z.string().optional() });

const agentParams: z.ZodType<ProjectParams & { readonly name: string }> = z.object({
  ns: z.string(),
  prj: z.string(),
  name: z.string(),
});

/** The agents of a project: what they said last, and how to forget one. */
export function registerFleetRoutes(app: ManagementServer, { projects, agents }: Stores): void {
  app.get(
    `${projectUrl}/agents`,
    {
      config: { access: { project: [{ resource: "agent", action: "read" }] } },
      schema: { params: projectParams, querystring: fleetQuery, response: { 200: fleetAnswer } },
    },
    async (request) => {
      const { limit, cursor, ...filters } = request.query;
      const project = await projects.get(request.params.ns, request.params.prj);
      const found = await agents.list(project, { ...filters, after: cursor, limit: limit + 1 });
      const items = found.slice(0, limit).map((agent) => ({ ...agent }));
      const last = items.at(-1);
      return {
        version: project.version,
        items,
        ...(found.length > limit && last ? { next: last.name } : {}),
      };
    },
  );
  app.delete(
    `${projectUrl}/agents/:name`,
    {
      config: { access: { project: [{ resource: "agent", action: "write" }] } },
      schema: { params: agentParams, response: { 204: answers.nothing } },
    },
    async (request, reply) => {
      const { ns, prj, name } = request.params;
      await agents.remove((await projects.get(ns, prj)).id, name, subjectOf(request));
      return reply.code(204).send(null);
    },
  );
}
