import { Readable } from "node:stream";
import {
  type RedirectStatus,
  type RedirectType,
  redirectStatusNames,
  redirectTypes,
} from "@posthouse/protocol";
import * as z from "zod";
import { type ExportFormat, exportRedirects } from "../store/export.ts";
import type { Stores } from "../store/stores.ts";
import { projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

interface ExportQuery {
  readonly format: ExportFormat;
  readonly type?: readonly RedirectType[] | undefined;
  readonly status?: readonly RedirectStatus[] | undefined;
  readonly search?: string | undefined;
}

const listOf = <T extends string>(values: readonly [T, ...T[]]) =>
  z.preprocess(
    (value) => (typeof value === "string" ? value.split(",") : value),
    z.array(z.enum(values)).optional(),
  );

/** `type` and `status` may be given several times, or once with commas. */
const exportQuery: z.ZodType<ExportQuery> = z.object({
  format: z.enum(["tsv", "csv", "json"]).default("tsv"),
  type: listOf(redirectTypes as unknown as [RedirectType, ...RedirectType[]]),
  status: listOf(redirectStatusNames as [RedirectStatus, ...RedirectStatus[]]),
  search: z.string().max(600).optional(),
});

const contentTypes: Readonly<Record<ExportFormat, string>> = {
  tsv: "text/tab-separated-values; charset=utf-8",
  csv: "text/csv; charset=utf-8",
  json: "application/json; charset=utf-8",
};

/** `GET …/export`: the published redirects of one version as a file. */
export function registerExportRoute(app: ManagementServer, { projects, snapshots }: Stores): void {
  app.get(
    `${projectUrl}/export`,
    {
      config: { access: { project: [{ resource: "redirect", action: "read" }] } },
      schema: { params: projectParams, querystring: exportQuery, produces: Object.values(contentTypes) },
    },
    async (request, reply) => {
      const { format, type, status, search } = request.query;
      const project = await projects.get(request.params.ns, request.params.prj);
      const snapshot = await snapshots.open(project);
      const name = `${project.namespace}-${project.code}-v${snapshot.version}.${format}`;
      return reply
        .type(contentTypes[format])
        .header("content-disposition", `attachment; filename="${name}"`)
        .send(Readable.from(exportRedirects(snapshot, format, { types: type, statuses: status, search })));
    },
  );
}
