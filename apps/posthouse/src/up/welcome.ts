import type { UpAddresses } from "./up.ts";

/** What `posthouse up` prints when everything runs. */
export function welcome({ site, manager, admin, project, login, state }: UpAddresses): string {
  const firstLogin =
    login === undefined
      ? []
      : [
          `  Log-in      ${login.username}, one-time password ${login.password}`,
          "              (shown once; the first log-in sets a new one)",
        ];
  return `${[
    "",
    "Posthouse is up.",
    "",
    `  Site        ${site}`,
    `  Manager     ${manager}    API described at ${manager}/api/v1/openapi.json`,
    `  Agent       ${admin}/status    also /metrics, /health/ready`,
    `  State       ${state}`,
    ...firstLogin,
    "",
    "Try",
    `  curl -i ${site}/old-page           a redirect`,
    `  curl -i ${site}/blog/42/hello      a redirect by a regular expression`,
    `  curl -i ${site}/robots.txt         a page`,
    `  npx posthouse import tsv FILE --manager ${manager} --project ${project} --publish`,
    "                                            a list of your own: type, source, target, status",
    "",
    "Ctrl-C stops everything; the next start goes on from here.",
    "",
  ].join("\n")}\n`;
}
