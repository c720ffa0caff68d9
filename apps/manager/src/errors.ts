import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

const definitions = {
  DATABASE_CANNOT_OPEN: {
    message: "the database {path} cannot be opened: {reason}",
    hint: "its folder must exist and be writable for the user that runs the Manager (database.path)",
  },
  DATABASE_DAMAGED: {
    message: "{path} is not a database of the Manager, or is damaged: {reason}",
    hint: "restore it from a backup; it is never replaced by an empty one",
  },
  DATABASE_IN_USE: {
    message: "the database {path} is in use by another Manager",
    hint: "stop the other one, or give this one its own database.path",
  },
  DATABASE_NEWER: {
    message: "the database {path} was written by a newer version of the Manager: {reason}",
    hint: "run that version, or restore the backup made before the upgrade",
  },
  DATABASE_BUSY: { message: "the database has too much to do", hint: "try again in a moment" },
  DATABASE_FULL: { message: "the disk of the database is full", hint: "make room; nothing was half-written" },
  DATABASE_FAILED: { message: "the database failed: {reason}" },
  AUTHORIZATION_MISSING: {
    message: "missing or invalid Authorization header",
    hint: "send Authorization: Bearer TOKEN",
  },
  TOKEN_REFUSED: { message: "invalid API token", hint: "it is unknown, deleted or expired" },
  SESSION_REFUSED: { message: "invalid Authorization token", hint: "log in again (POST /api/v1/sessions)" },
  PERMISSION_MISSING: { message: "this needs the permission {permission}" },
  ROUTE_NOT_FOUND: { message: "there is nothing at {path}" },
  NAMESPACE_NOT_FOUND: { message: "there is no namespace {namespace}" },
  PROJECT_NOT_FOUND: { message: "there is no project {project} in the namespace {namespace}" },
  ITEM_NOT_FOUND: { message: "there is no {kind} {id} in this project" },
  DRAFT_NOT_FOUND: { message: "there is no draft {id} in this project" },
  TOKEN_NOT_FOUND: { message: "there is no token {id}" },
  AGENT_NOT_FOUND: { message: "there is no agent {name} in this project" },
  USER_NOT_FOUND: { message: "there is no user {user}" },
  ROLE_NOT_FOUND: { message: "there is no role {code}" },
  NAMESPACE_EXISTS: { message: "there is a namespace {code} already" },
  PROJECT_EXISTS: { message: "there is a project {code} in this namespace already" },
  USER_EXISTS: { message: "there is a user {username} already" },
  ROLE_EXISTS: { message: "there is a role {code} already" },
  LAST_ADMINISTRATOR: {
    message: "nobody would be left who may do everything to the Manager",
    hint: "give somebody else the administration right *:* first",
  },
  TOKEN_EXISTS: { message: "there is a token named {name} already" },
  SOURCE_IN_USE: {
    message: "{source} is already used in this project",
    hint: "edit the one that has it",
  },
  REDIRECT_INVALID: { message: "{reason}" },
  PAGE_INVALID: { message: "{reason}" },
  PAGE_TOO_LARGE: { message: "the content has {bytes} bytes, {limit} are allowed (limits.page)" },
  PAGES_TOO_LARGE: {
    message: "the pages of this project would exceed {limit} bytes together (limits.pages_of_project)",
  },
  PROJECT_FULL: { message: "this project has used all its ids" },
  NOTHING_TO_PUBLISH: { message: "nothing to publish for project {project}" },
  PUBLISH_IN_PROGRESS: {
    message: "publish already in progress for this project",
    hint: "wait for it to end",
  },
  PUBLISH_INCOMPLETE: {
    message: "{source} is still used by {kind} {id}",
    hint: "publish the change of {kind} {id} along with it",
  },
  VERSION_NOT_FOUND: { message: "there is no version {version} of this project" },
  CHANGE_NOT_FOUND: { message: "item {id} does not differ between versions {from} and {to}" },
  NOTHING_TO_RESTORE: { message: "what is published is what version {version} was" },
  DRAFTS_IN_THE_WAY: {
    message:
      "{count} pending changes are of items, or use sources, that this version would bring back or change",
    hint: "publish or discard them first; one of them is draft {id}",
  },
  CHANGES_GONE: {
    message: "the changes since version {from} are not kept, or larger than the whole",
    hint: "take the snapshot",
  },
  REQUEST_INVALID: { message: "{reason}" },
  BODY_TOO_LARGE: { message: "the body has more than {limit} bytes" },
  BODY_UNREADABLE: { message: "the body could not be read: {reason}" },
  MEDIA_TYPE_UNSUPPORTED: { message: "a body of this type is not understood here", hint: "send {expected}" },
  IMPORT_FAILED: {
    message: "the file could not be read to its end: {reason}",
    hint: "nothing of it was taken; import it in smaller parts",
  },
  IMPORTS_TOO_MANY: { message: "too many imports run already", hint: "try again when they have ended" },
  CREDENTIALS_WRONG: { message: "the user name or the password is wrong" },
  USER_INACTIVE: { message: "this user was deactivated", hint: "ask an administrator" },
  USER_GONE: { message: "user not found", hint: "it was deactivated" },
  SESSION_NEEDED: { message: "this is for people who have logged in, not for tokens" },
  PASSWORD_MUST_CHANGE: {
    message: "this password opens the door once",
    hint: "send newPassword along with it, at least 8 characters",
  },
  PASSWORD_TOO_SHORT: { message: "a password needs at least 8 characters and must differ from the old one" },
  LOGIN_THROTTLED: { message: "too many failed log-ins", hint: "try again in {seconds} s" },
  STREAMS_TOO_MANY: { message: "too many event streams are open", hint: "poll /version instead" },
  MANAGER_STOPPING: { message: "the Manager is stopping" },
  INTERNAL: { message: "something went wrong here", hint: "the Manager's log says what" },
} as const;

export type ManagerErrorCode = keyof typeof definitions;

/** Errors of the Manager. */
export const errors: ErrorCatalogue<ManagerErrorCode> = createErrorCatalogue(definitions);

const statuses: Partial<Record<string, number>> = {
  DATABASE_BUSY: 503,
  DATABASE_FULL: 507,
  DATABASE_FAILED: 500,
  AUTHORIZATION_MISSING: 401,
  TOKEN_REFUSED: 401,
  SESSION_REFUSED: 401,
  PERMISSION_MISSING: 403,
  ROUTE_NOT_FOUND: 404,
  NAMESPACE_NOT_FOUND: 404,
  PROJECT_NOT_FOUND: 404,
  ITEM_NOT_FOUND: 404,
  DRAFT_NOT_FOUND: 404,
  TOKEN_NOT_FOUND: 404,
  AGENT_NOT_FOUND: 404,
  USER_NOT_FOUND: 404,
  ROLE_NOT_FOUND: 404,
  NAMESPACE_EXISTS: 409,
  PROJECT_EXISTS: 409,
  USER_EXISTS: 409,
  ROLE_EXISTS: 409,
  LAST_ADMINISTRATOR: 409,
  TOKEN_EXISTS: 409,
  SOURCE_IN_USE: 409,
  PAGE_TOO_LARGE: 413,
  PAGES_TOO_LARGE: 413,
  PROJECT_FULL: 409,
  NOTHING_TO_PUBLISH: 409,
  PUBLISH_IN_PROGRESS: 409,
  PUBLISH_INCOMPLETE: 409,
  VERSION_NOT_FOUND: 404,
  CHANGE_NOT_FOUND: 404,
  NOTHING_TO_RESTORE: 409,
  DRAFTS_IN_THE_WAY: 409,
  CHANGES_GONE: 404,
  BODY_TOO_LARGE: 413,
  MEDIA_TYPE_UNSUPPORTED: 415,
  IMPORT_FAILED: 500,
  IMPORTS_TOO_MANY: 429,
  CREDENTIALS_WRONG: 401,
  USER_INACTIVE: 403,
  USER_GONE: 401,
  SESSION_NEEDED: 403,
  PASSWORD_MUST_CHANGE: 403,
  LOGIN_THROTTLED: 429,
  STREAMS_TOO_MANY: 503,
  MANAGER_STOPPING: 503,
  INTERNAL: 500,
};

/** HTTP status with which an error of this code is answered: 400 unless said otherwise. */
export function statusOf(code: string): number {
  return statuses[code] ?? 400;
}
