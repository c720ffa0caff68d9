/** The Manager: builds its parts in order, starts them, stops them in reverse. The file to read first. */
import { closeServer, formatListen, type Log, listenOn, type Part } from "@posthouse/service";
import type { FastifyInstance } from "fastify";
import { createEventHub, type EventHub } from "./api/event-hub.ts";
import { createServer } from "./api/server.ts";
import type { ManagerConfig } from "./config.ts";
import { type Database, openDatabase } from "./database/database.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import { createReadiness } from "./readiness.ts";
import { createAgentStore } from "./store/agent.ts";
import { createAgentWriter } from "./store/agent-writer.ts";
import { createChangeStore } from "./store/change.ts";
import { createDraftStore } from "./store/draft.ts";
import { createFleetFigures } from "./store/fleet-figures.ts";
import { createImporter } from "./store/import.ts";
import { createItemStore } from "./store/item.ts";
import { createItemSearch } from "./store/item-search.ts";
import { createJournal } from "./store/journal.ts";
import { createJournalPurge } from "./store/journal-purge.ts";
import { createProjectStore } from "./store/project.ts";
import { createProjectSweeper } from "./store/project-sweeper.ts";
import { createPublisher } from "./store/publish.ts";
import { findPublishWarnings } from "./store/publish-warnings.ts";
import { createRefusedLogins } from "./store/refused-logins.ts";
import { createRoleStore } from "./store/role.ts";
import { createSessionStore } from "./store/session.ts";
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
  readonly stores: OpenStores;
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
    const metrics = createMetrics({
      openStreams: () => events.streams,
      waitingWrites: database.waitingWrites,
      projects: createFleetFigures(database, config.agents.offline_after),
    });
    const undo: (() => Promise<unknown>)[] = [() => database.close(), async () => events.close()];
    try {
      const stores = await openStores({ database, config, events, metrics, log });
      undo.push(() => stores.close());
      firstLogin = await stores.users.createFirst();
      const app = await createServer({
        ...{ stores, events, metrics, log, isReady: createReadiness(database, log) },
        authorizationHeader: config.authorization_header,
      });
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
    await stores.close();
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

type OpenStores = Stores & { close(): Promise<void> };

interface StoresOptions extends ManagerOptions {
  readonly database: Database;
  readonly config: ManagerConfig;
  readonly events: EventHub;
  readonly metrics: Metrics;
}

async function openStores({ database, config, events, metrics, log }: StoresOptions): Promise<OpenStores> {
  const snapshots = await createSnapshotStore(database);
  const sweeper = createProjectSweeper(database, { snapshots, log });
  await sweeper.start();
  const refused = createRefusedLogins(database, log);
  const importer = createImporter(database, (seconds) => metrics.imported(seconds));
  const writer = createAgentWriter(database, {
    onBatch: (hits) => metrics.hitsWritten(hits),
    onHitDropped: () => metrics.hitDropped(),
    onFailure: (error) => log.error({ error }, "what agents said could not be written; it is tried again"),
  });
  const agents = createAgentStore(database, { writer, offlineAfterMs: config.agents.offline_after });
  const onPeopleChanged = (): void => events.closeUsers();
  return {
    projects: createProjectStore(database, (ids) => {
      events.closeProjects(ids);
      sweeper.wake();
    }),
    items: createItemStore(database),
    search: createItemSearch(database),
    drafts: createDraftStore(database, config.limits),
    importer,
    publisher: createPublisher(database, ({ id }, { version, hash }, seconds) => {
      metrics.published(seconds);
      events.publish(id, { version, hash });
    }),
    publishWarnings: (projectId, version) => findPublishWarnings(database, projectId, version),
    versions: createVersionStore(database),
    changes: createChangeStore(database),
    snapshots,
    tokens: createTokenStore(database, (id) => events.closeToken(id)),
    sessions: createSessionStore(database, refused),
    users: createUserStore(database, onPeopleChanged),
    roles: createRoleStore(database, onPeopleChanged),
    agents,
    journal: createJournal(database, config.journal),
    async close() {
      await sweeper.stop(0);
      await importer.close();
      await agents.close();
      await refused.close();
      await snapshots.close();
    },
  };
}
