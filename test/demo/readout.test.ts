import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { STACK, stacked } from '../../demo/history.ts';
import { readings } from '../../demo/readout.ts';
import { attainable, classPoints, rooflineWords, runPoint } from '../../demo/roofline.ts';
import type { CostView } from '../../demo/state.ts';
import { accountRun } from '../../src/cost/account.ts';
import type { DeviceCalibration } from '../../src/cost/calibrate.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { type CostByClass, totalCost, zeroCosts } from '../../src/ledger/cost.ts';

const DEVICE: DeviceCalibration = {
  flops32: 4e9,
  flops16: null,
  bandwidth: 4e8,
  dispatchSeconds: 1e-6,
  intensity: 10,
  seconds: 1,
};

function snapshot(classes: Partial<CostByClass>): LedgerSnapshot {
  const all = { ...zeroCosts(), ...classes };
  return { rows: 1, sampled: 1, ...totalCost(all), classes: all };
}

const TOTAL = snapshot({
  linear: { flops: 8e8, bytes: 6e7 },
  attention: { flops: 2e8, bytes: 4e7 },
  kvWrite: { flops: 0, bytes: 1e5 },
});

function view(more: Partial<CostView> = {}): CostView {
  return { total: TOTAL, seconds: 1, history: [], timing: null, dense: null, ...more };
}

describe('the formulas beside the ledger', () => {
  it('are told as more or less than what ran', () => {
    const account = accountRun(
      { shape: catalogueEntry('Qwen3-0.6B'), precision: { weights: 'f16', kv: 'f16' } },
      { promptTokens: 30, lengths: [100, 50], measured: TOTAL.classes },
    );
    const lines = readings(view(), undefined, account);
    expect(lines.find(({ label }) => label === 'Formulas')?.words).toMatch(
      /^expect .*FLOP and .*B; the run took .* less and .* less$/,
    );
    expect(readings(view()).some(({ label }) => label === 'Formulas')).toBe(false);
    const [long, short] = account.modelledLanes;
    expect(long!.flops).toBeGreaterThan(1.9 * short!.flops);
    expect(long!.bytes).toBeGreaterThan(1.5 * short!.bytes);
  });
});

describe('the roofline', () => {
  it('bends where the device has as many FLOP for each byte as it can do in fetching it', () => {
    expect(attainable(DEVICE, 1)).toBe(4e8);
    expect(attainable(DEVICE, 10)).toBe(4e9);
    expect(attainable(DEVICE, 1000)).toBe(4e9);
  });

  it('puts the run where it was, and kinds of work on the roof, as large as their part of the least time', () => {
    const run = runPoint(TOTAL, 2)!;
    expect(run.intensity).toBeCloseTo(1e9 / 1.001e8, 9);
    expect(run.rate).toBe(5e8);
    const [linear, attention, ...rest] = classPoints(TOTAL, DEVICE);
    // Cache writes compute nothing: they take time, but have no place on the plot.
    expect(rest).toEqual([]);
    expect(linear).toMatchObject({ name: 'linear', rate: 4e9 });
    expect(attention).toMatchObject({ name: 'attention', intensity: 5, rate: 2e9 });
    const least = 8e8 / 4e9 + 4e7 / 4e8 + 1e5 / 4e8;
    expect(linear!.share).toBeCloseTo(0.2 / least, 9);
    expect(attention!.share).toBeCloseTo(0.1 / least, 9);
    expect(runPoint(snapshot({}), 2)).toBeNull();
    expect(runPoint(TOTAL, 0)).toBeNull();
  });

  it('says in words what binds the run and how near it comes', () => {
    const below = rooflineWords({ intensity: 2, rate: 2e8 }, DEVICE);
    expect(below).toBe(
      '2.00 FLOP for each byte, 200 MFLOP/s. Below 10.0 this device waits for memory. The run reaches 25 % of what it sustains there.',
    );
    expect(rooflineWords({ intensity: 20, rate: 2e9 }, DEVICE)).toContain('busy computing. The run reaches 50 %');
    expect(rooflineWords({ intensity: 2, rate: 9e8 }, DEVICE)).toContain('faster than what was measured');
    expect(rooflineWords({ intensity: 2, rate: 9e8 }, null)).toContain('not measured');
    expect(rooflineWords(null, DEVICE)).toContain('as soon as');
  });
});

describe('what the numbers mean', () => {
  it('holds a step against its prediction, and weighs bytes by the device and by the paper', () => {
    const timing = { steps: 40, measuredMs: 17.2, predictedMs: 16.1, medianError: 0.06 };
    const lines = readings(view({ timing }), DEVICE);
    expect(lines.map(({ label }) => label)).toEqual(['A step', 'Attention', 'eFLOP']);
    expect(lines[0]!.words).toBe('takes 17 ms; predicted 16 ms, off by 6 %');
    expect(lines[1]!.words).toBe('20 % of the compute and 40 % of the traffic; weights 80 % and 60 %');
    // 1e9 + 10 · 1.001e8, and 1e9 + 562.5 · 1.001e8.
    expect(lines[2]!.words).toBe('2.00 G at this device’s 10.0 FLOP a byte; 57.3 G at the paper’s 562.5 FLOP a byte');
  });

  it('tells only what it knows', () => {
    expect(readings(view({ total: snapshot({}) }))).toEqual([]);
    const lines = readings(view());
    expect(lines.map(({ label }) => label)).toEqual(['Attention', 'eFLOP']);
    expect(lines[1]!.words).not.toContain('device');
  });

  it('tells what sparse attention saved, where it saved anything', () => {
    const dense = { flops: 2e9, bytes: 4.004e8 };
    expect(readings(view({ dense })).at(-1)!.words).toBe('attention saved 50 % of the compute and 75 % of the traffic');
    const same = { flops: TOTAL.flops, bytes: TOTAL.bytes };
    expect(readings(view({ dense: same })).map(({ label }) => label)).not.toContain('Sparse');
  });
});

describe('the stack of a chart', () => {
  it('ends at the total, and no edge lies below the next', () => {
    const amount = fc.double({ min: 0, max: 1e12, noNaN: true });
    const cost = fc.record({ flops: amount, bytes: amount });
    const classes = fc.record({ linear: cost, attention: cost, search: cost, kvWrite: cost, other: cost });
    fc.assert(
      fc.property(fc.array(classes, { maxLength: 5 }), (moments) => {
        const samples = moments.map((c, i) => ({ seconds: i, tokens: i, ...totalCost(c), classes: c }));
        const edges = stacked(samples, 'bytes');
        expect(edges).toHaveLength(STACK.length);
        for (const [i, sample] of samples.entries()) {
          expect(edges[0]![i]! / Math.max(1, sample.bytes)).toBeCloseTo(sample.bytes / Math.max(1, sample.bytes), 9);
          for (let k = 1; k < edges.length; k++) expect(edges[k]![i]!).toBeLessThanOrEqual(edges[k - 1]![i]!);
        }
      }),
    );
  });
});
