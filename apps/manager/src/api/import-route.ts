import { pipeline, type Readable, Transform } from "node:stream";
import { createGunzip } from "node:zlib";
import { errors } from "../errors.ts";
import type { Stores } from "../store/stores.ts";
import { subjectOf } from "./auth.ts";
import { answers, importQuery, projectParams } from "./management-schemas.ts";
import { type ManagementServer, projectUrl } from "./management-server.ts";

const maxBytes = 200 * 1024 * 1024;

/** `POST …/import`: rows separated by tabs, commas or semicolons, plain or compressed with gzip, read as they arrive. */
export function registerImportRoute(app: ManagementServer, { projects, importer }: Stores): void {
  app.removeAllContentTypeParsers();
  const types = [
    "text/tab-separated-values",
    "text/csv",
    "text/plain",
    "application/csv",
    "application/vnd.ms-excel", // what Windows calls .csv
    "application/octet-stream",
  ];
  app.addContentTypeParser(types, (_request, payload, done) => done(null, payload));
  app.post(
    `${projectUrl}/import`,
    {
      config: { access: { project: [{ resource: "redirect", action: "write" }] } },
      bodyLimit: maxBytes,
      schema: {
        params: projectParams,
        querystring: importQuery,
        consumes: types,
        response: { 200: answers.imported },
      },
    },
    async (request) => {
      const { id } = await projects.get(request.params.ns, request.params.prj);
      const body = request.body as Readable | undefined;
      if (!body) throw errors.create("MEDIA_TYPE_UNSUPPORTED", { expected: types[0] ?? "" });
      const text = readText(body, request.headers["content-encoding"]);
      try {
        const by = subjectOf(request);
        const result = await importer.importRedirects(id, text, { ...request.query, by });
        return { ...result, errors: [...result.errors], warnings: [...result.warnings] };
      } finally {
        text.destroy();
      }
    },
  );
}

/** The text of a body, bounded also after it was unpacked. */
function readText(body: Readable, encoding: string | undefined): Readable {
  if (encoding !== undefined && encoding !== "gzip" && encoding !== "identity")
    throw errors.create("MEDIA_TYPE_UNSUPPORTED", { expected: "Content-Encoding: gzip, or none" });
  let bytes = 0;
  const bound = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      done(bytes > maxBytes ? errors.create("BODY_TOO_LARGE", { limit: maxBytes }) : null, chunk);
    },
  });
  const unpack = createGunzip();
  unpack.on("error", (cause) =>
    bound.destroy(errors.create("BODY_UNREADABLE", { reason: cause.message }, { cause })),
  );
  const ignore = (): void => {}; // the reader of `bound` is told
  return encoding === "gzip" ? pipeline(body, unpack, bound, ignore) : pipeline(body, bound, ignore);
}
