/** What N chains on a problem cost, in eFLOPs = FLOPs + I · bytes, by several ways to count. */
import type { Cost } from '../ledger/cost.ts';
import type { AccountName } from './experiment.ts';
import type { ProblemSamples } from './gather.ts';
import type { Setting } from './store.ts';

/** The paper's intensity, FLOP per byte: a B200's 4.5 PFLOP/s over 8 TB/s (Kinetics, arXiv 2506.05333). */
export const PAPER_INTENSITY = 562.5;

export interface Account {
  /** For file names and columns: "measured-paper". */
  readonly id: string;
  /** For people. */
  readonly label: string;
  /** eFLOPs of reading the prompt once and drawing `n` chains, in expectation over the samples. */
  eflops(problem: ProblemSamples, n: number): number;
}

/**
 * What the ledger counted: the prompt once, and n times the mean chain. A chain's bytes hold its share of the weights, which
 * it read together with the lanes beside it; alone it would have read more.
 */
export function measuredCost({ prompt, samples }: ProblemSamples, n: number): Cost {
  const part = (what: keyof Cost) =>
    prompt[what] + (n * samples.reduce((sum, sample) => sum + sample.cost[what], 0)) / samples.length;
  return { flops: part('flops'), bytes: part('bytes') };
}

function measured(id: string, label: string, intensity: number): Account {
  return {
    id,
    label,
    eflops(problem, n) {
      const { flops, bytes } = measuredCost(problem, n);
      return flops + intensity * bytes;
    },
  };
}

/** The accounts that an experiment asks for, as far as its setting allows: the device's need its measured intensity. */
export function accountsOf(presets: readonly AccountName[], { intensity }: Setting): Account[] {
  return presets.flatMap((preset) => {
    if (preset !== 'measured') return [];
    const paper = measured('measured-paper', `eFLOPs counted, I = ${PAPER_INTENSITY}`, PAPER_INTENSITY);
    if (intensity === null) return [paper];
    return [
      paper,
      measured('measured-device', `eFLOPs counted, I = ${intensity.toPrecision(3)} (this device)`, intensity),
    ];
  });
}
