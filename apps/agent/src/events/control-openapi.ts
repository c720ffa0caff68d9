import { inputJsonSchema } from "../config/input-json-schema.ts";
import { type ControlRoute, controlRoutes } from "./control-routes.ts";

const refusals: Readonly<Record<number, string>> = {
  400: "the request is wrong",
  401: "the admin token is missing or wrong",
  403: "no token is configured, or host or origin is not the agent's",
  404: "there is no such subscription",
  409: "it cannot be done as things are",
  413: "the body is larger than 256 KiB",
  415: "the body is no JSON",
  422: "broker or receiver cannot be used",
  503: "not at the moment",
};

const json = (schema: object): object => ({ "application/json": { schema } });
const refusal = { $ref: "#/components/schemas/Refusal" };

/** OpenAPI 3.1 of the control API of events. */
export function describeControlApi(): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const [operationId, route] of Object.entries(controlRoutes)) {
    const path = `/events/${route.path}`;
    paths[path] ??= {};
    paths[path][route.method.toLowerCase()] = describeRoute(operationId, route);
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "Posthouse agent: control of events",
      version: "1",
      description: "On the admin address of an agent",
    },
    components: {
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
      schemas: {
        Refusal: {
          type: "object",
          properties: { code: { type: "string" }, message: { type: "string" }, hint: { type: "string" } },
          required: ["code", "message"],
        },
      },
    },
    paths,
    security: [{ token: [] }],
  };
}

function describeRoute(operationId: string, route: ControlRoute): object {
  const { path, summary, query, body, status = 200, contentType = "application/json" } = route;
  const parameters = [
    ...[...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => ({
      in: "path",
      name,
      required: true,
      schema: { type: "string" },
    })),
    ...(query === undefined ? [] : queryParameters(inputJsonSchema(query))),
  ];
  const codes = [400, 401, 403, ...(route.refusals ?? []), 503];
  return {
    operationId,
    summary,
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: { required: true, content: json(inputJsonSchema(body)) } }),
    responses: {
      [status]: { description: summary, content: { [contentType]: { schema: { type: "object" } } } },
      ...Object.fromEntries(
        codes.map((code) => [code, { description: refusals[code] ?? "", content: json(refusal) }]),
      ),
    },
  };
}

function queryParameters(schema: object): object[] {
  const { properties = {} } = schema as { properties?: Readonly<Record<string, { description?: string }>> };
  return Object.entries(properties).map(([name, { description, ...rest }]) => ({
    in: "query",
    name,
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}
