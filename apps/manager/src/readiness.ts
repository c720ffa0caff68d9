import type { Log } from "@posthouse/service";
import type { Database } from "./database/database.ts";

/** Tells whether the database answers. Why it does not is logged once, until it does again. */
export function createReadiness(database: Database, log: Log): () => Promise<boolean> {
  let failure: string | undefined;
  return async () => {
    try {
      await database.read.selectFrom("project").select("id").limit(1).execute();
      if (failure !== undefined) log.info({}, "the database answers again");
      failure = undefined;
      return true;
    } catch (error) {
      const reason = String(error);
      if (reason !== failure) log.warn({ error }, "not ready: the database does not answer");
      failure = reason;
      return false;
    }
  };
}
