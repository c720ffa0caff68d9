import { type Page, pageContentTypes, pageTypes } from "@posthouse/protocol";
import { utf8Length } from "./bytes.ts";
import { createProblem, type Problem } from "./problem.ts";
import { readUrlReference } from "./url-reference.ts";

const longestPath = 600;
const largestContentBytes = 1_048_576;

/** Everything that is wrong or doubtful with a page. `largestBytes` bounds its content, in UTF-8, default 1 MiB. */
export function checkPage(page: Page, options: { largestBytes?: number } = {}): Problem[] {
  const problems: Problem[] = [];
  const { type, path, content, contentType } = page;
  if (!pageTypes.includes(type)) {
    problems.push(
      createProblem("TYPE_UNKNOWN", {
        field: "type",
        position: 0,
        values: { type, known: pageTypes.join(", ") },
      }),
    );
  }
  if (path.length > longestPath) {
    problems.push(
      createProblem("PATH_TOO_LONG", {
        field: "path",
        position: longestPath,
        values: { limit: longestPath },
      }),
    );
  }
  if (type === "BASIC") checkPath(path, problems);
  if (type === "BASIC_HOST") checkHostPath(path, problems);
  const limit = options.largestBytes ?? largestContentBytes;
  if (content.length * 3 > limit && utf8Length(content) > limit) {
    problems.push(createProblem("CONTENT_TOO_LARGE", { field: "content", position: 0, values: { limit } }));
  }
  if (!Object.hasOwn(pageContentTypes, contentType)) {
    problems.push(
      createProblem("CONTENT_TYPE_UNKNOWN", { field: "contentType", position: 0, values: { contentType } }),
    );
  }
  return problems;
}

function checkPath(path: string, problems: Problem[]): void {
  if (!path.startsWith("/")) {
    problems.push(createProblem("PATH_NOT_ROOTED", { field: "path", position: 0 }));
    return;
  }
  const read = readUrlReference(path);
  if ("reason" in read) {
    problems.push(
      createProblem("PATH_INVALID", {
        field: "path",
        position: read.position,
        values: { reason: read.reason },
      }),
    );
  }
}

function checkHostPath(path: string, problems: Problem[]): void {
  if (/^([A-Za-z][A-Za-z0-9+.-]*:)?\/\//.test(path)) {
    problems.push(createProblem("PATH_HAS_SCHEME", { field: "path", position: 0 }));
    return;
  }
  const read = readUrlReference(`//${path}`);
  if ("reason" in read) {
    const position = Math.max(read.position - 2, 0);
    problems.push(
      createProblem("PATH_INVALID", { field: "path", position, values: { reason: read.reason } }),
    );
  } else if (read.host === "") {
    problems.push(createProblem("PATH_WITHOUT_HOST", { field: "path", position: 0 }));
  } else if (read.path === "") {
    problems.push(createProblem("PATH_WITHOUT_PATH", { field: "path", position: path.length }));
  }
}
