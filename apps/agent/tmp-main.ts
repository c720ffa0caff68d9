import { createAgent, loadAgentConfig, watchConfig } from "@posthouse/agent";
import { runUntilSignal,createLog } from "@posthouse/service";
const file = process.argv.at(-1) as string;
    const config = await loadAgentConfig(file);
    const log = createLog({...config.log, format:"json"} as never);
    const agent = createAgent(config, { log, configPath: file });
    const watcher = watchConfig(file, { log, onChange: async () => agent.reload(await loadAgentConfig(file)) });
    process.exitCode = await runUntilSignal([agent, watcher], { log });
