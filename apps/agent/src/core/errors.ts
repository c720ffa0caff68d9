import { createErrorCatalogue, type ErrorCatalogue } from "@posthouse/protocol";

type Code =
  | "STATE_NOT_WRITABLE"
  | "RELOAD_NOT_READY"
  | "AGENT_NOT_RUNNING"
  | "FILE_NOT_READABLE"
  | "ACCESS_LOG_NOT_WRITABLE"
  | "BACKEND_UNREACHABLE"
  | "BACKEND_CLOSED"
  | "BACKEND_GARBAGE"
  | "BACKEND_BUSY"
  | "TLS_FILE_UNREADABLE"
  | "TLS_FILE_UNUSABLE"
  | "TLS_KEY_MISMATCH"
  | "TLS_SETTINGS_UNUSABLE"
  | "FLAGS_DUMP_INVALID"
  | "FLAGS_FILE_MISSING"
  | "FLAGS_FILE_UNUSABLE"
  | "FLAGS_SNAPSHOT_DAMAGED"
  | "FLAGS_SNAPSHOT_NOT_WRITTEN"
  | "FEATBIT_UNREACHABLE"
  | "FEATBIT_REFUSED"
  | "FEATBIT_CLOSED"
  | "FEATBIT_SILENT"
  | "FEATBIT_MESSAGE_UNUSABLE"
  | "RULE_FILE_MISSING"
  | "RULE_FILE_UNUSABLE"
  | "SPOOL_IN_USE"
  | "SPOOL_UNUSABLE"
  | "SPOOL_STOPPED"
  | "SPOOL_FULL"
  | "SPOOL_BUSY"
  | "SPOOL_RECORD_TOO_LARGE"
  | "SPOOL_WRITE_FAILED"
  | "SPOOL_READ_FAILED"
  | "SUBSCRIPTION_UNKNOWN"
  | "SUBSCRIPTION_EXISTS"
  | "SUBSCRIPTION_CLASHES"
  | "SUBSCRIPTION_FIXED"
  | "SUBSCRIPTION_RENAMED"
  | "SUBSCRIPTION_STOPPED"
  | "SUBSCRIPTION_NOT_REDIS"
  | "SUBSCRIPTION_NOT_RABBITMQ"
  | "SUBSCRIPTIONS_TOO_MANY"
  | "SUBSCRIPTIONS_FILE_MISSING"
  | "SUBSCRIPTIONS_FILE_UNUSABLE"
  | "EVENTS_JOB_DOWN"
  | "BROKER_URL_UNUSABLE"
  | "BROKER_UNREACHABLE"
  | "BROKER_TIMED_OUT"
  | "BROKER_LOGIN_REFUSED"
  | "BROKER_VHOST_REFUSED"
  | "BROKER_DENIED"
  | "BROKER_TLS_FAILED"
  | "BROKER_NOT_ONE"
  | "BROKER_NOT_MASTER"
  | "BROKER_CLOSED"
  | "BROKER_QUEUE_GONE"
  | "BROKER_QUEUE_USED"
  | "BROKER_OBJECT_DIFFERS"
  | "BROKER_OUTPUT_LIMIT"
  | "EVENTS_TARGET_UNREACHABLE"
  | "EVENTS_TARGET_REFUSES"
  | "STATE_DATABASE_DAMAGED"
  | "STATE_DATABASE_UNUSABLE";

/** The errors of @posthouse/agent. */
export const agentErrors: ErrorCatalogue<Code> = createErrorCatalogue({
  STATE_NOT_WRITABLE: {
    message: "the state directory {directory} cannot be written: {reason}",
    hint: "make it a directory of the user that runs the agent, or name another one as `state`",
  },
  RELOAD_NOT_READY: {
    message: "the changed project {project} had no rules within {seconds} s; the old one goes on",
    hint: "check the Manager's address, the codes and the token, or the rule file: {reason}",
  },
  AGENT_NOT_RUNNING: { message: "the agent does not run, so there is nothing to reload" },
  FILE_NOT_READABLE: { message: "the file {file} cannot be read: {reason}" },
  ACCESS_LOG_NOT_WRITABLE: {
    message: "the access log {file} cannot be written: {reason}",
    hint: "check that its folder exists and that the agent's user may write there",
  },
  BACKEND_UNREACHABLE: {
    message: "the backend {address} cannot be reached: {reason}",
    hint: "check that it listens there",
  },
  BACKEND_CLOSED: { message: "the backend {address} closed the connection {when}" },
  BACKEND_GARBAGE: { message: "the backend's answer is not HTTP/1: {reason}" },
  BACKEND_BUSY: {
    message: "all {connections} connections to the backend {address} are busy, and the queue is full",
  },
  TLS_FILE_UNREADABLE: {
    message: "{key}: the file {file} cannot be read: {reason}",
    hint: "the user that runs the agent must be able to read it",
  },
  TLS_FILE_UNUSABLE: {
    message: "{key}: the file {file} holds no {what}: {reason}",
    hint: "PEM is expected; a key must not be encrypted",
  },
  TLS_KEY_MISMATCH: {
    message: "{key}: the private key {file} does not belong to the certificate {certificate}",
    hint: "the first certificate of the file must be the server's own, its issuers follow",
  },
  TLS_SETTINGS_UNUSABLE: {
    message: "{key}: these settings cannot be used: {reason}",
    hint: "ciphers are OpenSSL's names, separated by colons",
  },
  FLAGS_DUMP_INVALID: {
    message: "the flags cannot be read: {path}: {reason}",
    hint: "send what a full sync or a backup holds: an object with `items`; nothing was changed",
  },
  FLAGS_FILE_MISSING: {
    message: "there is no flag file {file}",
    hint: "flags that were loaded before are served on; the file is read as soon as it is there",
  },
  FLAGS_FILE_UNUSABLE: {
    message: "the flag file {file} cannot be used: {reason}",
    hint: "flags that were loaded before are served on; the file is read again when it changes",
  },
  FLAGS_SNAPSHOT_DAMAGED: {
    message: "the copy of the flags {file} cannot be used: {reason}",
    hint: "it is written anew as soon as the flags are fetched again",
  },
  FLAGS_SNAPSHOT_NOT_WRITTEN: {
    message: "the copy of the flags {file} cannot be written: {reason}",
    hint: "flags are served all the same; it is tried again",
  },
  FEATBIT_UNREACHABLE: {
    message: "FeatBit at {address} cannot be reached to {what}: {reason}",
    hint: "check `flags.streaming_uri`; it is tried again for ever, and what is on disk is served meanwhile",
  },
  FEATBIT_REFUSED: {
    message: "FeatBit at {address} refused to {what}: {reason}",
    hint: "check `flags.api_key` and the scope of that relay proxy; 403 at registration says that the licence's number of agents is used up. It is tried again every few minutes",
  },
  FEATBIT_CLOSED: { message: "FeatBit at {address} closed the connection: {reason}" },
  FEATBIT_SILENT: { message: "FeatBit at {address} sent nothing for {seconds} s" },
  FEATBIT_MESSAGE_UNUSABLE: {
    message: "a message of FeatBit cannot be used: {reason}",
    hint: "it was left out, and everything is asked for anew",
  },
  RULE_FILE_MISSING: {
    message: "there is no rule file {file}",
    hint: "rules that were loaded before are served on; the file is read as soon as it is there",
  },
  RULE_FILE_UNUSABLE: {
    message: "the rule file {file} cannot be used: {reason}",
    hint: "rules that were loaded before are served on; the file is read again when it changes",
  },
  SPOOL_IN_USE: {
    message: "the spool {directory} is in use by another process",
    hint: "give each agent a state directory of its own",
  },
  SPOOL_UNUSABLE: {
    message: "the spool {directory} cannot be opened: {reason}",
    hint: "the user that runs the agent must be able to write there",
  },
  SPOOL_STOPPED: { message: "the spool {directory} does not run" },
  SPOOL_FULL: {
    message: "the spool {directory} holds all that it may: {limit} bytes",
    hint: "it has room again when what it holds could be delivered",
  },
  SPOOL_BUSY: {
    message: "more than {limit} bytes wait to be written to the spool {directory}",
    hint: "the disk is slower than what arrives",
  },
  SPOOL_RECORD_TOO_LARGE: {
    message: "a record of {bytes} bytes is more than the spool {directory} takes: {limit}",
  },
  SPOOL_WRITE_FAILED: {
    message: "the spool {directory} cannot be written: {reason}",
    hint: "it is tried again every second",
  },
  SPOOL_READ_FAILED: {
    message: "the spool {directory} cannot be read: {reason}",
    hint: "nothing was passed over; check the disk",
  },
  SUBSCRIPTION_UNKNOWN: { message: "there is no subscription {name}" },
  SUBSCRIPTION_EXISTS: {
    message: "there is a subscription {name} already, of the origin: {origin}",
    hint: "app_name and app_env name a subscription; change or remove the other one",
  },
  SUBSCRIPTION_CLASHES: { message: "{reason}" },
  SUBSCRIPTION_FIXED: {
    message: "the subscription {name} is of the origin: {origin}; it is changed and removed there",
    hint: "it can be paused and stopped here",
  },
  SUBSCRIPTION_RENAMED: {
    message: "app_name and app_env name the subscription {name}, and these are of {other}",
    hint: "add that one, and remove this one",
  },
  SUBSCRIPTION_STOPPED: {
    message: "the subscription {name} does not run, so nothing can be put in its spool",
    hint: "start it first",
  },
  SUBSCRIPTION_NOT_REDIS: {
    message: "the subscription {name} is not of Redis: only there Leek's agent leaves something behind",
  },
  SUBSCRIPTION_NOT_RABBITMQ: {
    message: "the subscription {name} has no queue at RabbitMQ that could be deleted",
    hint: "remove it without queue=delete",
  },
  SUBSCRIPTIONS_TOO_MANY: { message: "there are {most} subscriptions already, and not more in one agent" },
  SUBSCRIPTIONS_FILE_MISSING: {
    message: "the file of subscriptions {file} is not there",
    hint: "it is read as soon as it is; until then what ran of it goes on",
  },
  SUBSCRIPTIONS_FILE_UNUSABLE: {
    message: "the file of subscriptions {file} cannot be used: {reason}",
    hint: "those that were read before go on; it is read again when it changes",
  },
  EVENTS_JOB_DOWN: {
    message: "the events job does not answer: {reason}",
    hint: "it is started again by itself; the log tells more",
  },
  BROKER_URL_UNUSABLE: { message: "{key}: this address of a broker cannot be used: {rule}" },
  BROKER_UNREACHABLE: {
    message: "the broker at {address} cannot be reached: {reason}",
    hint: "check host and port, and that it runs and lets this machine in",
  },
  BROKER_TIMED_OUT: {
    message: "the broker at {address} took longer than {seconds} s {doing}",
    hint: "something may hold back its answers on the way, or this port is none of a broker",
  },
  BROKER_LOGIN_REFUSED: {
    message: "the broker at {address} refuses the user {user}: {reason}",
    hint: "check user and password; special characters in them must be percent-encoded",
  },
  BROKER_VHOST_REFUSED: {
    message: "the broker at {address} does not open the vhost {vhost} to the user {user}: {reason}",
    hint: "the vhost is what follows the slash: amqp://host// and amqp://host/ mean the vhost /",
  },
  BROKER_DENIED: {
    message: "the broker at {address} does not permit what is needed: {reason}",
    hint: "RabbitMQ: configure, write and read on exchange and queue; Redis: psubscribe on the channels",
  },
  BROKER_TLS_FAILED: {
    message: "no encrypted connection with the broker at {address}: {reason}",
    hint: "ssl_ca_certs=FILE names an authority, ssl_cert_reqs=none does without any",
  },
  BROKER_NOT_ONE: {
    message: "what answers at {address} is no {expected}: {reason}",
    hint: "check the port, and whether it wants TLS",
  },
  BROKER_NOT_MASTER: {
    message: "the Sentinels at {address} name no master that is one: {reason}",
    hint: "check master_name, and that the Sentinels have a quorum",
  },
  BROKER_CLOSED: { message: "the connection to the broker at {address} was closed: {reason}" },
  BROKER_QUEUE_GONE: {
    message: "the queue {queue} was deleted on the broker at {address}",
    hint: "it is declared again; what it held is lost",
  },
  BROKER_QUEUE_USED: {
    message: "the queue {queue} on the broker at {address} stays: something else receives from it",
    hint: "another subscription or agent; with that one gone too, rabbitmqctl delete_queue deletes it",
  },
  BROKER_OBJECT_DIFFERS: {
    message:
      "on the broker at {address} the {what} {name} is another one than this subscription needs: {difference}",
    hint: "name another one, or delete it when it is drained; it is tried again",
  },
  BROKER_OUTPUT_LIMIT: {
    message: "Redis at {address} cut the connection, because more waited to be sent to us than it keeps",
    hint: "raise client-output-buffer-limit pubsub, or give the agent more CPU",
  },
  EVENTS_TARGET_UNREACHABLE: {
    message: "{url}, to which events are to be sent, cannot be reached: {reason}",
    hint: "check the address, and that something listens there",
  },
  EVENTS_TARGET_REFUSES: {
    message: "{url}, to which events are to be sent, answers {reason}",
    hint: "check that the address is that of the receiver; of a status that is known, the hint tells what it means",
  },
  STATE_DATABASE_DAMAGED: {
    message: "the database {file} is damaged: {reason}",
    hint: "at the next start it is set aside; to have its dead letters and added subscriptions back, stop the agent and put a copy of it in its place",
  },
  STATE_DATABASE_UNUSABLE: {
    message: "the database {file} cannot be used: {reason}",
    hint: "the user that runs the agent must be able to write it and its folder",
  },
});
