import { codeSchema } from "@posthouse/protocol";
import * as z from "zod";
import {
  type AdminPermission,
  adminPermissionSchema,
  type Permission,
  permissionSchema,
} from "../store/permission.ts";
import type { Named } from "../store/project.ts";
import type { Credentials } from "../store/session.ts";
import type { ProjectParams } from "./auth.ts";

interface IdParams {
  readonly id: number;
}

interface ImportQuery {
  readonly overwrite: boolean;
  /** For the journal. */
  readonly filename?: string | undefined;
}

interface TokenBody {
  readonly name: string;
  readonly expiresAt?: string | undefined;
  readonly permissions: Permission[];
  readonly admin: AdminPermission[];
}

/* What the management API takes. `id` of a draft is the id of its item. */
export const namedBody: z.ZodType<Named> = z.strictObject({
  code: codeSchema,
  name: z.string().trim().min(1).max(200),
});
export const nameBody: z.ZodType<{ readonly name: string }> = z.strictObject({
  name: z.string().trim().min(1).max(200),
});
const project = z.object({ ns: z.string(), prj: z.string() });
export const namespaceParams: z.ZodType<{ readonly ns: string }> = project.pick({ ns: true });
export const projectParams: z.ZodType<ProjectParams> = project;
const id = z.object({ id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER) });
export const idParams: z.ZodType<IdParams> = id;
export const projectIdParams: z.ZodType<ProjectParams & IdParams> = project.extend(id.shape);
export const importQuery: z.ZodType<ImportQuery> = z.object({
  overwrite: z.stringbool().default(true),
  filename: z.string().max(255).optional(),
});
export const tokenBody: z.ZodType<TokenBody> = z.strictObject({
  name: z
    .string()
    .regex(/^[a-zA-Z0-9_-]+$/, "may hold letters, digits, - and _ only")
    .max(94),
  expiresAt: z.iso.datetime({ offset: true }).optional(),
  permissions: z.array(permissionSchema).max(1_000).default([]),
  admin: z.array(adminPermissionSchema).max(100).default([]),
});
export const sessionBody: z.ZodType<Credentials> = z.strictObject({
  username: z.string().max(100),
  password: z.string().max(1_000),
  newPassword: z.string().max(1_000).optional(),
});

/* What it answers. */
type Answer =
  | "named"
  | "namedList"
  | "project"
  | "imported"
  | "token"
  | "tokens"
  | "session"
  | "nothing"
  | "error";

export const answers: Readonly<Record<Answer, z.ZodType>> = {
  named: z.object({ code: z.string(), name: z.string() }),
  namedList: z.object({ items: z.array(z.object({ code: z.string(), name: z.string() })) }),
  project: z.object({
    code: z.string(),
    name: z.string(),
    namespace: z.string(),
    version: z.number(),
    hash: z.string(),
    publishedAt: z.string().nullable(),
    redirects: z.number(),
    pages: z.number(),
    drafts: z.object({ redirects: z.number(), pages: z.number() }),
  }),
  imported: z.object({
    success: z.boolean(),
    totalLines: z.number(),
    importedCount: z.number(),
    skippedCount: z.number(),
    errorCount: z.number(),
    errors: z.array(
      z.object({
        line: z.number(),
        source: z.string().optional(),
        target: z.string().optional(),
        reason: z.string(),
        message: z.string(),
      }),
    ),
    warningCount: z.number(),
    warnings: z.array(
      z.object({ line: z.number(), source: z.string(), code: z.string(), message: z.string() }),
    ),
  }),
  token: z.object({ id: z.number(), name: z.string(), token: z.string(), preview: z.string() }),
  tokens: z.object({
    items: z.array(
      z.object({
        id: z.number(),
        name: z.string(),
        preview: z.string(),
        createdAt: z.string(),
        expiresAt: z.string().optional(),
        permissions: z.array(permissionSchema),
        admin: z.array(adminPermissionSchema),
      }),
    ),
  }),
  session: z.object({ token: z.string(), expiresAt: z.string() }),
  nothing: z.null(),
  error: z.object({ code: z.string(), message: z.string(), hint: z.string().optional() }),
};
