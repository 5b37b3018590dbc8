import { describe, expect, it } from 'vitest';
import { addSample, type CostSample, MOST_SAMPLES, rates } from '../../demo/history.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';
import type { CostEvent } from '../../src/strategies/types.ts';

function event(seconds: number): CostEvent {
  const classes = zeroCosts();
  classes.attention = { flops: 300 * seconds, bytes: 4 * seconds };
  const total = { rows: 1, sampled: 20 * seconds, flops: 1000 * seconds, bytes: 10 * seconds, classes };
  return { type: 'cost', lanes: [], total, seconds };
}

describe('cost history', () => {
  it('stays bounded, keeps order and the last sample', () => {
    let history: readonly CostSample[] = [];
    for (let i = 0; i <= 5000; i++) history = addSample(history, event(i / 10));
    expect(history.length).toBeLessThanOrEqual(MOST_SAMPLES);
    expect(history.length).toBeGreaterThan(MOST_SAMPLES / 3);
    expect(history.at(-1)!.seconds).toBe(500);
    expect(history.every((s, i) => i === 0 || s.seconds > history[i - 1]!.seconds)).toBe(true);
  });

  it('gives the true rate of what grows evenly, also where samples are thinned', () => {
    let history: readonly CostSample[] = [];
    for (let i = 0; i <= 1500; i++) history = addSample(history, event(i / 10));
    for (const rate of rates(history)) {
      expect(rate.flops).toBeCloseTo(1000, 6);
      expect(rate.bytes).toBeCloseTo(10, 6);
      expect(rate.tokens).toBeCloseTo(20, 6);
      expect(rate.classes.attention.flops).toBeCloseTo(300, 6);
      expect(rate.classes.attention.bytes).toBeCloseTo(4, 6);
      expect(rate.classes.linear).toEqual({ flops: 0, bytes: 0 });
    }
  });

  it('has no rate of one moment', () => {
    expect(rates([])).toEqual([]);
    expect(rates(addSample([], event(1)))).toEqual([]);
    expect(rates(addSample(addSample([], event(1)), event(1)))).toEqual([]);
  });
});
