import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { curvesOf, paretoFrontier } from '../../src/lab/curves.ts';
import { wilson } from '../../src/lab/statistics.ts';
import { madeResults } from './made.ts';

describe('curves', () => {
  const { groups, accounts, points } = curvesOf(madeResults());
  const at = (group: string, thinking: number, n: number) =>
    points.find((point) => point.group === group && point.thinking === thinking && point.n === n)!;

  it('have a point for every group, limit and N, and for all groups together', () => {
    expect(groups).toEqual(['countdown/3', 'knights/2', 'all']);
    expect(accounts.map(({ id }) => id)).toEqual(['measured-paper', 'measured-device']);
    expect(points).toHaveLength(3 * 2 * 2);
    expect(at('all', 8, 1)).toMatchObject({ problems: 4, samples: 4, kv: 'dense' });
  });

  it('are means over the problems of what their samples say', () => {
    // countdown: 0 and 2 of 4 right at limit 4, so coverage of 2: 0 and 1 - C(2,2)/C(4,2) = 5/6.
    expect(at('countdown/3', 4, 1).accuracy.coverage.mean).toBeCloseTo(0.25, 12);
    expect(at('countdown/3', 4, 2).accuracy.coverage.mean).toBeCloseTo(5 / 12, 12);
    // knights: all right, always; the interval does not pretend to know.
    expect(at('knights/2', 8, 2).accuracy.coverage).toEqual({ mean: 1, ...wilson(2, 2), method: 'wilson' });
    expect(at('all', 4, 1).accuracy.coverage.mean).toBeCloseTo((0 + 0.5 + 1 + 1) / 4, 12);
  });

  it('charge the whole prompt once and every chain', () => {
    // A chain at limit T: 10 T tokens, 1000 T FLOPs, 100 T bytes; the prompt: 5000 FLOPs, 700 bytes when read in full.
    const point = at('countdown/3', 8, 2);
    expect(point.tokens.mean).toBeCloseTo(160, 9);
    expect(point.flops).toBeCloseTo(5000 + 2 * 8000, 9);
    expect(point.bytes).toBeCloseTo(700 + 2 * 800, 9);
    expect(point.eflops['measured-paper']!.mean).toBeCloseTo(21_000 + 562.5 * 2300, 6);
    expect(point.eflops['measured-device']!.mean).toBeCloseTo(21_000 + 10 * 2300, 6);
    expect(point.eflops['measured-paper']).toMatchObject({ low: point.eflops['measured-paper']!.high });
  });

  it('leave out the account of a device whose intensity nobody measured, and groups without results', () => {
    const made = madeResults();
    const blind = curvesOf({
      header: { ...made.header, setting: { ...made.header.setting, intensity: null } },
      units: made.units.filter((unit) => unit.task === 'knights'),
    });
    expect(blind.accounts.map(({ id }) => id)).toEqual(['measured-paper']);
    expect(new Set(blind.points.map((point) => point.group))).toEqual(new Set(['knights/2', 'all']));
  });

  it('compare KV policies problem by problem, as far as both have them', () => {
    const made = madeResults();
    const experiment = { ...made.header.experiment, kv: ['dense', 'window:4+64'] };
    // Under the window the second countdown problem loses one of its two right samples; the first was not posed.
    const windowed = made.units
      .filter(({ task, index }) => task !== 'countdown' || index === 1)
      .map((unit) => ({
        ...unit,
        unit: unit.unit.replace('dense', 'window'),
        kv: 'window:4+64',
        samples: unit.samples.map((sample, i) =>
          unit.task === 'countdown' && i === 1 ? { ...sample, correct: false } : sample,
        ),
      }));
    const { points } = curvesOf({
      header: { ...made.header, experiment },
      units: [...made.units, ...windowed],
    });
    const change = (kv: string, group: string) =>
      points.find((point) => point.kv === kv && point.group === group && point.thinking === 4 && point.n === 1)!.change;
    expect(change('dense', 'all')).toBeNull();
    expect(change('window:4+64', 'countdown/3')).toEqual({ mean: -0.25, low: -0.25, high: -0.25 });
    expect(change('window:4+64', 'knights/2')).toEqual({ mean: 0, low: 0, high: 0 });
    expect(change('window:4+64', 'all')!.mean).toBeCloseTo(-0.25 / 3, 12);
  });

  it('do not depend on the order of the units', () => {
    const made = madeResults();
    expect(curvesOf({ ...made, units: [...made.units].reverse() }).points).toEqual(points);
  });
});

describe('the Pareto frontier', () => {
  it('is what no other point beats', () => {
    fc.assert(
      fc.property(fc.array(fc.record({ cost: fc.nat(12), accuracy: fc.nat(12) }), { maxLength: 20 }), (points) => {
        const beaten = (a: (typeof points)[number]) =>
          points.some(
            (b) => b.cost <= a.cost && b.accuracy >= a.accuracy && (b.cost < a.cost || b.accuracy > a.accuracy),
          );
        const expected = new Set(points.filter((point) => !beaten(point)).map((point) => JSON.stringify(point)));
        const frontier = paretoFrontier(
          points,
          (point) => point.cost,
          (point) => point.accuracy,
        );
        expect(frontier.map((point) => JSON.stringify(point)).sort()).toEqual([...expected].sort());
        for (let i = 1; i < frontier.length; i++) {
          expect(frontier[i]!.cost).toBeGreaterThan(frontier[i - 1]!.cost);
          expect(frontier[i]!.accuracy).toBeGreaterThan(frontier[i - 1]!.accuracy);
        }
      }),
    );
  });
});
