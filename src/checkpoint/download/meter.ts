/** How far a download is and how fast it goes, told at most a few times a second. */
import type { DownloadProgress } from '../store/types.ts';

/** Seconds that the rate looks back. */
const WINDOW = 8;
/** Seconds between two reports of mere progress. */
const INTERVAL = 0.1;

type Counts = Omit<DownloadProgress, 'bytesPerSecond' | 'secondsLeft' | 'received' | 'trouble'>;

export class Meter {
  readonly #report: ((progress: DownloadProgress) => void) | undefined;
  readonly #now: () => number;
  #counts: Counts = { phase: 'listing', loaded: 0, total: 0, files: { done: 0, total: 0 } };
  #received = 0;
  #trouble: string | null = null;
  /** Bytes received up to a time in seconds, oldest first. */
  #samples: { time: number; received: number }[] = [];
  #told = Number.NEGATIVE_INFINITY;

  /** @param now seconds; a clock that only goes forward. */
  constructor(report?: (progress: DownloadProgress) => void, now = () => performance.now() / 1000) {
    this.#report = report;
    this.#now = now;
  }

  /** Bytes came over the network. */
  receive(bytes: number): void {
    this.#received += bytes;
    this.#trouble = null;
  }

  get received(): number {
    return this.#received;
  }

  /** Something went wrong and is being tried again. */
  trouble(what: string): void {
    this.#trouble = what;
    this.#tell(true);
  }

  /** The work has come to another phase: told at once. */
  phase(phase: DownloadProgress['phase'], counts: Partial<Counts> = {}): void {
    this.#counts = { ...this.#counts, ...counts, phase };
    this.#tell(true);
  }

  /** There may be news. @param counts asked only when they are told. */
  tick(counts: () => Partial<Counts>): void {
    if (this.#now() - this.#told < INTERVAL) return;
    this.#counts = { ...this.#counts, ...counts() };
    this.#tell(false);
  }

  #tell(now: boolean): void {
    const time = this.#now();
    if (!now && time - this.#told < INTERVAL) return;
    this.#told = time;
    this.#samples.push({ time, received: this.#received });
    // One sample older than the window stays, so that the window is never measured short.
    while ((this.#samples[1]?.time ?? time) < time - WINDOW) this.#samples.shift();
    const rate = this.#rate(time);
    const left = this.#counts.total - this.#counts.loaded;
    this.#report?.({
      ...this.#counts,
      received: this.#received,
      bytesPerSecond: rate,
      secondsLeft: rate > 0 && this.#counts.total > 0 ? Math.max(0, left / rate) : null,
      trouble: this.#trouble,
    });
  }

  #rate(time: number): number {
    const first = this.#samples[0];
    if (!first || time - first.time < 0.5) return 0;
    return (this.#received - first.received) / (time - first.time);
  }
}
