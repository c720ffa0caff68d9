import type { Item } from "@posthouse/protocol";
import type { AskedRequest } from "./asked-request.ts";
import type { ExplainedRequest } from "./explained-request.ts";

const statusTexts: Readonly<Record<number, string>> = {
  200: "OK",
  301: "Moved Permanently",
  302: "Found",
  307: "Temporary Redirect",
  308: "Permanent Redirect",
};

/** What `explain` prints for people. */
export function explanationText(explained: ExplainedRequest): string {
  const { request, site, project, rules } = explained;
  const lines = [requestLine(request)];
  if (site !== undefined) lines.push(`  site     ${site}`);
  if (project !== undefined) lines.push(`  project  ${project}`);
  if (rules === undefined)
    return `${[...lines, "", "404: no site takes this host", ...hostLines(explained)].join("\n")}\n`;
  const { redirects, pages, leftOut, from } = rules;
  const missing = leftOut === 0 ? "" : `; ${count(leftOut, "rule")} left out for an error (posthouse check)`;
  lines.push(
    `  rules    ${from}`,
    `           ${count(redirects, "redirect")}, ${count(pages, "page")}${missing}`,
    "",
  );
  lines.push(...answerLines(explained), "", ...nearLines(explained));
  return `${lines.join("\n")}\n`;
}

function requestLine({ method, host, uri }: AskedRequest): string {
  return `${method} ${uri}   ${host === "" ? "without a host" : `Host: ${host}`}`;
}

function answerLines({ answer, redirected }: ExplainedRequest): string[] {
  if (answer === null) return ["404: no rule answers"];
  const lines = [`${answer.status} ${statusTexts[answer.status] ?? ""}`];
  if (answer.location !== undefined) lines.push(`  Location  ${answer.location}`);
  if (answer.contentType !== undefined)
    lines.push(`  content   ${answer.bytes} bytes, ${answer.contentType}`);
  lines.push(`  because   ${describeItem(answer.item)}${placeText(answer.place)}`);
  if (redirected !== undefined) lines.push(`  then      ${redirected}`);
  return lines;
}

function nearLines({ near }: ExplainedRequest): string[] {
  if (near.length === 0) return ["Nothing else comes near."];
  const lines = ["Nearly"];
  for (const { item, message, place } of near) {
    lines.push(`  ${describeItem(item)}${placeText(place)}`, `    ${message}`);
  }
  return lines;
}

function hostLines({ hosts }: ExplainedRequest): string[] {
  if (hosts.length === 0) return ["The configuration has no sites; --project NAME asks a project directly."];
  return ["Sites take", ...hosts.map((host) => `  ${host}`)];
}

function describeItem(item: Item): string {
  if (item.kind === "page") return `page ${item.id}   ${item.type} ${item.path}`;
  return `redirect ${item.id}   ${item.type} ${item.source}  →  ${item.target}`;
}

const placeText = (place: string | undefined): string => (place === undefined ? "" : `   (${place})`);

function count(number: number, noun: string): string {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}
