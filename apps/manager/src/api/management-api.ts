/** The management API below `/api/v1`: JSON in, JSON out, described at `/api/v1/openapi.json`. */
import swagger from "@fastify/swagger";
import type { FastifyInstance } from "fastify";
import {
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from "fastify-type-provider-zod";
import type { Stores } from "../store/stores.ts";
import { registerAccountRoutes } from "./account-routes.ts";
import { registerDraftRoutes } from "./draft-routes.ts";
import { registerExportRoute } from "./export-route.ts";
import { registerFleetRoutes } from "./fleet-routes.ts";
import { registerImportRoute } from "./import-route.ts";
import { registerJournalRoutes } from "./journal-routes.ts";
import { registerProjectRoutes } from "./project-routes.ts";
import { registerRoleRoutes } from "./role-routes.ts";
import { registerUserRoutes } from "./user-routes.ts";
import { registerVersionRoutes } from "./version-routes.ts";

const withZod = (app: FastifyInstance) => app.withTypeProvider<ZodTypeProvider>();

export async function registerManagementApi(plain: FastifyInstance, stores: Stores): Promise<void> {
  plain.setValidatorCompiler(validatorCompiler);
  plain.setSerializerCompiler(serializerCompiler);
  await plain.register(swagger, {
    openapi: {
      openapi: "3.1.0",
      info: { title: "Posthouse Manager", version: "1", description: "Edit, publish, watch the fleet" },
      components: { securitySchemes: { token: { type: "http", scheme: "bearer" } } },
      security: [{ token: [] }],
    },
    transform: jsonSchemaTransform,
  });
  await plain.register(async (scope) => {
    const app = withZod(scope);
    registerProjectRoutes(app, stores);
    registerDraftRoutes(app, stores);
    registerExportRoute(app, stores);
    registerFleetRoutes(app, stores);
    registerAccountRoutes(app, stores);
    registerVersionRoutes(app, stores);
    registerUserRoutes(app, stores);
    registerRoleRoutes(app, stores);
    registerJournalRoutes(app, stores);
    app.get("/openapi.json", { config: { access: "public" }, schema: { hide: true } }, () => app.swagger());
  });
  await plain.register(async (scope) => registerImportRoute(withZod(scope), stores));
}
