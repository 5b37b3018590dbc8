/** Words and numbers on a terminal. */

const PREFIXES = ['', 'k', 'M', 'G', 'T', 'P', 'E'];

/** 1234567 → "1.23 M": for counts, with the unit put behind. */
export function formatCount(value: number): string {
  let rest = value;
  let step = 0;
  while (rest >= 999.5 && step < PREFIXES.length - 1) {
    rest /= 1000;
    step++;
  }
  const digits = rest === 0 || rest >= 100 ? 0 : rest >= 10 ? 1 : 2;
  return `${rest.toFixed(step === 0 ? 0 : digits)} ${PREFIXES[step]}`;
}

/** 1234567 → "1.23 MB". */
export function formatBytes(bytes: number): string {
  return `${formatCount(bytes)}B`;
}

/** 75 → "1 min 15 s". */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** Lines that stay, and one that is overwritten; the latter only where someone is looking. */
export class Progress {
  readonly #out: NodeJS.WriteStream;
  #shown = 0;
  #last = 0;

  constructor(out: NodeJS.WriteStream) {
    this.#out = out;
  }

  line(text: string): void {
    this.clear();
    this.#out.write(`${text}\n`);
  }

  update(text: string): void {
    const now = performance.now();
    if (!this.#out.isTTY || now - this.#last < 50) return;
    this.#last = now;
    const cut = text.slice(0, Math.max(20, (this.#out.columns ?? 80) - 1));
    this.#out.write(`\r${cut.padEnd(this.#shown)}`);
    this.#shown = cut.length;
  }

  clear(): void {
    if (this.#shown > 0) this.#out.write(`\r${' '.repeat(this.#shown)}\r`);
    this.#shown = 0;
  }
}
