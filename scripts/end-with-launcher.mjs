// Loaded before all else into what a launcher of this checkout starts (scripts/run.mjs, apps/posthouse/bin). The two hold
// the ends of a pipe that nobody writes to: when it ends, the launcher is gone, also by kill -9, and this process stops as
// on SIGTERM. The variable is taken away at once: processes and threads that are started from here have their own parents.
import { Socket } from "node:net";

const fd = process.env.POSTHOUSE_LAUNCHER_PIPE;
delete process.env.POSTHOUSE_LAUNCHER_PIPE;

if (fd !== undefined) {
  const pipe = new Socket({ fd: Number(fd), readable: true, writable: false });
  pipe.on("error", () => {});
  pipe.on("close", () => process.kill(process.pid, "SIGTERM"));
  pipe.resume();
  pipe.unref();
}
