import * as z from "zod";

const code = z.string().min(1).max(50);
const actions = ["*", "read", "write"] as const;

type Action = (typeof actions)[number];

export interface Permission {
  readonly namespace: string;
  readonly project: string;
  readonly resource: "*" | "redirect" | "page" | "agent";
  readonly action: Action;
}

export interface AdminPermission {
  readonly section: "*" | "users" | "roles" | "projects" | "namespaces" | "tokens";
  readonly action: Action;
}

/** A right in projects. `*` stands for all; writing does not include reading. */
export const permissionSchema: z.ZodType<Permission> = z.strictObject({
  namespace: code,
  project: code,
  resource: z.enum(["*", "redirect", "page", "agent"]),
  action: z.enum(actions),
});

/** A right over the Manager itself. */
export const adminPermissionSchema: z.ZodType<AdminPermission> = z.strictObject({
  section: z.enum(["*", "users", "roles", "projects", "namespaces", "tokens"]),
  action: z.enum(actions),
});

export interface Grants {
  readonly permissions: readonly Permission[];
  readonly admin: readonly AdminPermission[];
}

export const allGrants: Grants = {
  permissions: [{ namespace: "*", project: "*", resource: "*", action: "*" }],
  admin: [{ section: "*", action: "*" }],
};

const covers = (granted: string, asked: string): boolean => granted === "*" || granted === asked;

/** Whether the grants hold a right in a project; the resource `any` is met by a right on whichever resource. */
export function allows(
  { permissions }: Grants,
  asked: {
    namespace: string;
    project: string;
    resource: Permission["resource"] | "any";
    action: Permission["action"];
  },
): boolean {
  return permissions.some(
    (granted) =>
      covers(granted.namespace, asked.namespace) &&
      covers(granted.project, asked.project) &&
      (asked.resource === "any" || covers(granted.resource, asked.resource)) &&
      covers(granted.action, asked.action),
  );
}

/** Whether the grants hold a right over the Manager. */
export function allowsAdmin({ admin }: Grants, asked: AdminPermission): boolean {
  return admin.some(({ section, action }) => covers(section, asked.section) && covers(action, asked.action));
}

/** Whether everything in `asked` may be handed out: what is held, or anything by who may do everything to the Manager. */
export function allowsAll(held: Grants, asked: Grants): boolean {
  if (allowsAdmin(held, { section: "*", action: "*" })) return true;
  return (
    asked.permissions.every((permission) => allows(held, permission)) &&
    asked.admin.every((permission) => allowsAdmin(held, permission))
  );
}
