import { durationSchema } from "@posthouse/service";
import * as z from "zod";

/** How long what runs may go on when its listener, its forward or the whole agent ends. In milliseconds. */
export interface DrainConfig {
  readonly reload: number;
  readonly stop: number;
}

const dayMs = 86_400_000;
const time = (preset: string): z.ZodType<number, string | undefined> =>
  durationSchema.prefault(preset).refine((ms) => ms <= dayMs, "longer than 24h");

export const drainSchema: z.ZodType<DrainConfig> = z.strictObject({
  reload: time("1h").describe(
    "how long downloads and tunnels of a changed or removed forward or listener go on after a reload; then they are cut",
  ),
  stop: time("10s").describe("how long anything goes on after SIGTERM; then it is cut"),
}) as unknown as z.ZodType<DrainConfig>;
