/** How a run's cost grew: samples for the chart, bounded in number however long the run. */
import type { CostEvent } from '../src/strategies/types.ts';

export interface CostSample {
  /** Wall seconds since the run began. */
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
  /** Tokens sampled. */
  readonly tokens: number;
}

/** A chart a few hundred pixels wide shows no more. */
export const MOST_SAMPLES = 600;

/** `history` with one sample more; when it is full, every second older one is dropped. */
export function addSample(history: readonly CostSample[], event: CostEvent): readonly CostSample[] {
  const kept = history.length < MOST_SAMPLES ? history : history.filter((_, i) => i % 2 === 0);
  const { total, seconds } = event;
  return [...kept, { seconds, flops: total.flops, bytes: total.bytes, tokens: total.sampled }];
}

export interface Rate {
  readonly seconds: number;
  /** FLOP a second. */
  readonly flops: number;
  /** Bytes a second. */
  readonly bytes: number;
  readonly tokens: number;
}

/** Seconds over which a rate is taken: long enough to be read, short enough to be alive. */
const WINDOW = 0.6;

/** Rates at each sample, over the last `WINDOW` seconds before it (over two samples at least). */
export function rates(history: readonly CostSample[]): Rate[] {
  const out: Rate[] = [];
  let from = 0;
  for (let i = 1; i < history.length; i++) {
    const to = history[i]!;
    while (from < i - 1 && to.seconds - history[from + 1]!.seconds >= WINDOW) from++;
    const start = history[from]!;
    const span = to.seconds - start.seconds;
    if (span <= 0) continue;
    out.push({
      seconds: to.seconds,
      flops: (to.flops - start.flops) / span,
      bytes: (to.bytes - start.bytes) / span,
      tokens: (to.tokens - start.tokens) / span,
    });
  }
  return out;
}
