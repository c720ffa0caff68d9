export { type ManagerConfig, managerConfigSchema } from "./config.ts";
export { errors as managerErrors, type ManagerErrorCode } from "./errors.ts";
export { createManager, type Manager, type ManagerOptions } from "./manager.ts";
export { resetPassword } from "./reset-password.ts";
export type { AdminPermission, Grants, Permission } from "./store/permission.ts";
export type { TokenGrants } from "./store/token.ts";
export type { FirstLogin } from "./store/user.ts";
