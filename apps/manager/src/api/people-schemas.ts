import { codePattern } from "@posthouse/protocol";
import * as z from "zod";
import {
  type AdminPermission,
  adminPermissionSchema,
  type Permission,
  permissionSchema,
} from "../store/permission.ts";
import type { UserChange, UserNames } from "../store/user.ts";

export interface GrantsBody {
  readonly permissions: Permission[];
  readonly admin: AdminPermission[];
}

const permissions = z.array(permissionSchema).max(1_000).default([]);
const admin = z.array(adminPermissionSchema).max(100).default([]);
export const grantsBody: z.ZodType<GrantsBody> = z.strictObject({ permissions, admin });

const emailPattern = /^[a-zA-Z0-9._%+-]+@[a-zA-Z0-9.-]+\.[a-zA-Z]{2,}$/;
const username = z
  .string()
  .max(100)
  .refine(
    (text) => codePattern.test(text) || emailPattern.test(text),
    "may hold letters, digits, - and _ only, or be an e-mail address",
  );
const name = z.string().trim().min(1).max(200);
const password = z.string().max(1_000);

export const userBody: z.ZodType<UserNames & GrantsBody> = z.strictObject({
  username,
  firstName: name,
  lastName: name,
  permissions,
  admin,
});
export const userChangeBody: z.ZodType<UserChange> = z.strictObject({
  firstName: name.optional(),
  lastName: name.optional(),
  active: z.boolean().optional(),
});
export const passwordBody: z.ZodType<{ readonly password: string; readonly newPassword: string }> =
  z.strictObject({ password, newPassword: password });
export interface UserListQuery {
  readonly search?: string | undefined;
  readonly active?: boolean | undefined;
  readonly limit: number;
  readonly cursor: number;
}
export const userListQuery: z.ZodType<UserListQuery> = z.object({
  search: z.string().max(100).optional(),
  active: z.stringbool().optional(),
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
  cursor: z.coerce.number().int().min(0).default(0),
});

const roleCode = z.string().max(100).regex(codePattern, "may hold letters, digits, - and _ only");
export const roleBody: z.ZodType<GrantsBody & { readonly code: string }> = z.strictObject({
  code: roleCode,
  permissions,
  admin,
});
export const roleParams: z.ZodType<{ readonly code: string }> = z.object({ code: z.string() });
export const roleMemberParams: z.ZodType<{ readonly code: string; readonly id: number }> = z.object({
  code: z.string(),
  id: z.coerce.number().int().min(1).max(Number.MAX_SAFE_INTEGER),
});

const grants = { permissions: z.array(permissionSchema), admin: z.array(adminPermissionSchema) };
const user = z.object({
  id: z.number(),
  username: z.string(),
  firstName: z.string(),
  lastName: z.string(),
  active: z.boolean(),
  mustChangePassword: z.boolean(),
  roles: z.array(z.string()),
  createdAt: z.string(),
  ...grants,
});
type Answer = "me" | "user" | "users" | "oneTimePassword" | "roles" | "members";

export const peopleAnswers: Readonly<Record<Answer, z.ZodType>> = {
  me: z.object({
    kind: z.enum(["user", "token"]),
    name: z.string(),
    expiresAt: z.string().optional(),
    ...grants,
  }),
  user,
  users: z.object({ items: z.array(user), next: z.number().optional() }),
  oneTimePassword: z.object({ id: z.number().optional(), username: z.string(), password: z.string() }),
  roles: z.object({
    items: z.array(z.object({ code: z.string(), members: z.number(), createdAt: z.string(), ...grants })),
  }),
  members: z.object({ items: z.array(z.object({ id: z.number(), username: z.string() })) }),
};
