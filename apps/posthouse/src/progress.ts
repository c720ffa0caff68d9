/** A progress bar over bytes. On a terminal it redraws one line; elsewhere it is silent. */
export interface Progress {
  add(bytes: number): void;
  end(): void;
  /** Since the start. */
  seconds(): number;
}

const width = 30;
const redrawMs = 100;

export function createProgress(output: NodeJS.WriteStream, label: string, totalBytes: number): Progress {
  const startedAt = performance.now();
  const seconds = (): number => (performance.now() - startedAt) / 1000;
  let done = 0;
  let drawnAt = 0;
  const draw = (): void => {
    const share = totalBytes === 0 ? 1 : Math.min(1, done / totalBytes);
    const filled = Math.round(share * width);
    const bar = "█".repeat(filled) + "░".repeat(width - filled);
    output.write(
      `\r${label} ${bar} ${String(Math.round(share * 100)).padStart(3)} % ${seconds().toFixed(1)} s`,
    );
  };
  return {
    add(bytes) {
      done += bytes;
      if (!output.isTTY || performance.now() - drawnAt < redrawMs) return;
      drawnAt = performance.now();
      draw();
    },
    end() {
      if (!output.isTTY) return;
      draw();
      output.write("\n");
    },
    seconds,
  };
}
