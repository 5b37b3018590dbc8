/** How a run's cost grew: samples for the chart, bounded in number however long the run. */
import { COST_CLASSES, type Cost, type CostByClass, type CostClass, zeroCosts } from '../src/ledger/cost.ts';
import type { CostEvent } from '../src/strategies/types.ts';

export interface CostSample {
  /** Wall seconds since the run began. */
  readonly seconds: number;
  readonly flops: number;
  readonly bytes: number;
  /** Tokens sampled. */
  readonly tokens: number;
  readonly classes: CostByClass;
}

/** A chart a few hundred pixels wide shows no more. */
export const MOST_SAMPLES = 600;

/** `history` with one sample more; when it is full, every second older one is dropped. */
export function addSample(history: readonly CostSample[], event: CostEvent): readonly CostSample[] {
  const kept = history.length < MOST_SAMPLES ? history : history.filter((_, i) => i % 2 === 0);
  const { total, seconds } = event;
  return [...kept, { seconds, flops: total.flops, bytes: total.bytes, tokens: total.sampled, classes: total.classes }];
}

/** As a sample, but all except `seconds` is a second's worth. */
export type Rate = CostSample;

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
      classes: perSecond(start.classes, to.classes, span),
    });
  }
  return out;
}

function perSecond(from: CostByClass, to: CostByClass, span: number): CostByClass {
  const rate = zeroCosts();
  for (const name of COST_CLASSES) {
    rate[name].flops = (to[name].flops - from[name].flops) / span;
    rate[name].bytes = (to[name].bytes - from[name].bytes) / span;
  }
  return rate;
}

export type Measure = keyof Cost;

/** Classes as a chart stacks them, the highest first: each is painted over those before it. */
export const STACK: readonly CostClass[] = [...COST_CLASSES].reverse();

/** For each class of `STACK` its upper edge over time: itself and all classes below it. */
export function stacked(points: readonly CostSample[], measure: Measure): number[][] {
  return STACK.map((_, i) =>
    points.map(({ classes }) => STACK.slice(i).reduce((sum, name) => sum + classes[name][measure], 0)),
  );
}
