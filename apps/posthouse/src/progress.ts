/** A progress bar. On a terminal it redraws one line; elsewhere it is silent. */
export interface Progress {
  /** So many units more are done: bytes, rules. */
  add(units: number): void;
  /** All is handed over; somebody else is at work, for an unknown time. */
  wait(label: string): void;
  end(): void;
  /** Since the start. */
  seconds(): number;
}

const width = 30;
const redrawMs = 100;

export function createProgress(output: NodeJS.WriteStream, label: string, total: number): Progress {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let done = 0;
  let drawnAt = 0;
  let waiting: NodeJS.Timeout | undefined;
  let tail = "";
  const draw = (): void => {
    drawnAt = performance.now();
    const share = total === 0 ? 1 : Math.min(1, done / total);
    const filled = Math.round(share * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    const percent = String(Math.round(share * 100)).padStart(3);
    output.write(`\r\u001b[2K${label} ${bar} ${percent} % ${seconds().toFixed(1)} s${tail}`);
  };
  return {
    add(units) {
      done += units;
      if (output.isTTY && performance.now() - drawnAt >= redrawMs) draw();
    },
    wait(what) {
      if (!output.isTTY || waiting !== undefined) return;
      tail = `  ${what}`;
      waiting = setInterval(draw, redrawMs * 2).unref();
      draw();
    },
    end() {
      clearInterval(waiting);
      if (!output.isTTY) return;
      tail = "";
      draw();
      output.write("\n");
    },
    seconds,
  };
}
