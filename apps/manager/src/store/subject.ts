import type { Grants } from "./permission.ts";

/** Who a request comes from. */
export interface Subject extends Grants {
  readonly kind: "token" | "user";
  readonly id: number;
  readonly name: string;
  readonly expiresAt: number | undefined;
}
