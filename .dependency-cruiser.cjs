// Who may import whom (ARCHITECTURE.md). Each rule has a planted violation in test/gates.test.ts.
const packages = (...names) => `^(${names.join("|")})/`;
const ours = "^(packages|apps|testkit|bench|scripts)/";
const only = (name, from, allowed) => ({
  name,
  severity: "error",
  from: { path: from, pathNot: "/test/" },
  to: { path: ours, pathNot: [from, ...allowed.map((a) => packages(a))] },
});
const agentJobs = ["redirects", "proxy", "flags", "events", "admin"];

module.exports = {
  forbidden: [
    {
      name: "no-circular",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    { name: "not-to-unresolvable", severity: "error", from: {}, to: { couldNotResolve: true } },
    only("protocol-stands-alone", packages("packages/protocol"), []),
    only("rules-import-protocol-only", packages("packages/rules"), ["packages/protocol"]),
    only("flags-import-protocol-and-rules-only", packages("packages/flags"), [
      "packages/protocol",
      "packages/rules",
    ]),
    only("service-imports-protocol-only", packages("packages/service"), ["packages/protocol"]),
    only("client-below-agent", packages("packages/client"), ["packages/protocol", "packages/rules"]),
    only("agent-imports-packages-only", packages("apps/agent"), ["packages/[a-z]+"]),
    only("manager-imports-no-agent-side", packages("apps/manager"), [
      "packages/(rules|flags|protocol|service)",
    ]),
    only("command-imports-apps-and-packages", packages("apps/posthouse"), [
      "packages/[a-z]+",
      "apps/(agent|manager)",
    ]),
    {
      name: "pure-packages-use-no-node-builtins",
      severity: "error",
      from: { path: "^packages/(rules|flags|protocol)/src/" },
      to: { dependencyTypes: ["core"] },
    },
    ...agentJobs.map((job) => ({
      name: `agent-${job}-imports-no-other-job`,
      severity: "error",
      from: { path: `^apps/agent/src/${job}/` },
      to: { path: `^apps/agent/src/(${agentJobs.filter((other) => other !== job).join("|")})/` },
    })),
    {
      name: "agent-spool-imports-core-only",
      severity: "error",
      from: { path: "^apps/agent/src/spool/" },
      to: { path: "^apps/agent/src/", pathNot: "^apps/agent/src/(spool|core)/" },
    },
    {
      name: "only-engines-know-node-http",
      severity: "error",
      from: { path: "^apps/agent/src/", pathNot: "^apps/agent/src/http/node[12][a-z-]*\\.ts$" },
      to: { dependencyTypes: ["core"], path: "^(node:)?https?2?$" },
    },
    {
      name: "only-two-files-know-ws",
      severity: "error",
      from: {
        path: "^apps/agent/src/",
        pathNot: "^apps/agent/src/(flags/stream-server|replica/featbit/upstream-socket)\\.ts$",
      },
      to: { path: "(^|/)node_modules/(@types/)?ws/" },
    },
    {
      name: "only-connections-know-broker-libraries",
      severity: "error",
      from: {
        path: "^apps/agent/src/",
        pathNot: "^apps/agent/src/events/(amqp/amqp|redis/redis)-connection\\.ts$",
      },
      to: { path: "node_modules/(amqplib|ioredis)/" },
    },
    {
      name: "only-replica-touches-snapshots",
      severity: "error",
      from: { path: "^apps/agent/src/", pathNot: "^apps/agent/src/replica/" },
      to: { path: "^packages/client/src/node\\.ts$" },
    },
    {
      name: "tests-are-not-imported",
      severity: "error",
      from: { path: "^(packages|apps)/[^/]+/src/" },
      to: { path: "/test/|^testkit/" },
    },
  ],
  options: {
    doNotFollow: { path: "node_modules" },
    exclude: { path: "(^|/)dist/" },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    enhancedResolveOptions: {
      exportsFields: ["exports"],
      conditionNames: ["posthouse-source", "import", "node", "default"],
      extensions: [".ts", ".js", ".mjs", ".cjs"],
    },
  },
};
