/** The Manager: builds its parts in order, starts them, stops them in reverse. The file to read first. */
import { closeServer, formatListen, type Log, listenOn, type Part } from "@posthouse/service";
import type { FastifyInstance } from "fastify";
import { createEventHub, type EventHub } from "./api/event-hub.ts";
import { createServer } from "./api/server.ts";
import type { ManagerConfig } from "./config.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createAgentStore } from "./store/agent.ts";
import { createChangeStore } from "./store/change.ts";
import { createDraftStore } from "./store/draft.ts";
import { createImporter } from "./store/import.ts";
import { createItemStore } from "./store/item.ts";
import { createItemSearch } from "./store/item-search.ts";
import { createJournal } from "./store/journal.ts";
import { createJournalPurge } from "./store/journal-purge.ts";
import { createProjectStore } from "./store/project.ts";
import { createPublisher } from "./store/publish.ts";
import { findPublishWarnings } from "./store/publish-warnings.ts";
import { createSnapshotStore } from "./store/snapshot.ts";
import type { Stores } from "./store/stores.ts";
import { createTokenStore, type TokenGrants } from "./store/token.ts";
import { createUserStore, type FirstLogin } from "./store/user.ts";
import { createVersionStore } from "./store/version.ts";

export interface Manager extends Part {
  /** Where it listens, known once started: `http://127.0.0.1:8080`. */
  readonly url: string;
  /** The administrator's one-time password, when this start made the administrator. To be shown once. */
  readonly firstLogin: FirstLogin | undefined;
  /** Makes an API token for the process that hosts the Manager; one of the same name is replaced. */
  issueToken(name: string, grants: TokenGrants): Promise<string>;
}

export interface ManagerOptions {
  readonly log: Log;
}

interface Running {
  readonly database: Database;
  readonly stores: Stores;
  readonly events: EventHub;
  readonly app: FastifyInstance;
  readonly purge: Part;
  readonly url: string;
}

/** Makes a Manager. `start` opens the database, brings it up to date and listens. @throws DATABASE_*, PORT_* */
export function createManager(config: ManagerConfig, { log }: ManagerOptions): Manager {
  let starting: Promise<Running> | undefined;
  let running: Running | undefined;
  let stopping: Promise<void> | undefined;
  let firstLogin: FirstLogin | undefined;

  async function open(): Promise<Running> {
    const database = await openDatabase(config.database.path);
    const events = createEventHub(config.limits.event_streams);
    const metrics = createMetrics(() => events.streams);
    const undo: (() => Promise<unknown>)[] = [() => database.close(), async () => events.close()];
    try {
      const stores = await createStores(database, config, events, metrics);
      undo.push(() => stores.snapshots.close());
      undo.push(() => stores.importer.close());
      firstLogin = await stores.users.createFirst();
      const app = await createServer({ stores, events, metrics, log, isReady: () => isReady(database) });
      undo.push(() => app.close());
      const address = await listenOn(app.server, config.listen);
      const url = `http://${formatListen(address)}`;
      log.info({ url, database: database.path }, "the Manager listens");
      const { journal } = stores;
      const purge = createJournalPurge({ journal, intervalMs: config.journal.purge_interval, log });
      await purge.start();
      return { database, stores, events, app, purge, url };
    } catch (error) {
      for (const step of undo.reverse()) await step();
      throw error;
    }
  }

  async function close({ database, stores, events, app, purge }: Running, deadlineMs: number): Promise<void> {
    await purge.stop(deadlineMs);
    events.close();
    await closeServer(app.server, deadlineMs);
    await app.close();
    await stores.importer.close();
    await stores.snapshots.close();
    await database.close();
    log.info({}, "the Manager has stopped");
  }

  return {
    name: "manager",
    get url() {
      return running?.url ?? "";
    },
    get firstLogin() {
      return firstLogin;
    },
    async start() {
      starting ??= open();
      try {
        running = await starting;
      } catch (error) {
        starting = undefined;
        throw error;
      }
    },
    async stop(deadlineMs) {
      stopping ??= (async () => {
        const opened = await starting?.catch(() => undefined);
        if (opened) await close(opened, deadlineMs);
        running = undefined;
        starting = undefined;
      })();
      await stopping;
      stopping = undefined;
    },
    async issueToken(name, grants) {
      if (!running) throw new Error("the Manager is not started");
      return running.stores.tokens.replace(name, grants);
    },
  };
}

async function createStores(
  database: Database,
  config: ManagerConfig,
  events: EventHub,
  metrics: Metrics,
): Promise<Stores> {
  return {
    projects: createProjectStore(database),
    items: createItemStore(database),
    search: createItemSearch(database),
    drafts: createDraftStore(database, config.limits),
    importer: createImporter(database, (seconds) => metrics.imported(seconds)),
    publisher: createPublisher(database, ({ id }, { version, hash }, seconds) => {
      metrics.published(seconds);
      events.publish(id, { version, hash });
    }),
    publishWarnings: (projectId, version) => findPublishWarnings(database, projectId, version),
    versions: createVersionStore(database),
    changes: createChangeStore(database),
    snapshots: await createSnapshotStore(database),
    tokens: createTokenStore(database, (id) => events.closeToken(id)),
    users: createUserStore(database),
    agents: createAgentStore(database),
    journal: createJournal(database, config.journal),
  };
}

async function isReady(database: Database): Promise<boolean> {
  try {
    await database.read.selectFrom("project").select("id").limit(1).execute();
    return true;
  } catch {
    return false;
  }
}
