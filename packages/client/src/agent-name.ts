/** An agent's name as Managers take it: letters, digits, `-` and `_`, at most 100. */
export function agentName(name: string): string {
  return name.replace(/[^a-zA-Z0-9_-]/g, "-").slice(0, 100) || "agent";
}
