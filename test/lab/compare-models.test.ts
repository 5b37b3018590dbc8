import { describe, expect, it } from 'vitest';
import { compareModels } from '../../src/lab/compare-models.ts';
import { type LabReport, reportOf } from '../../src/lab/index.ts';
import { madeResults } from './made.ts';

/** The report of made results as if of a model that costs so many times as much. */
function reportFor(model: string, times: number): LabReport {
  const report = reportOf(madeResults());
  const points = report.points.map((point) => ({
    ...point,
    eflops: Object.fromEntries(
      Object.entries(point.eflops).map(([id, { mean, low, high }]) => [
        id,
        { mean: times * mean, low: times * low, high: times * high },
      ]),
    ),
  }));
  return { ...report, setting: { ...report.setting, model }, points };
}

const markers = (svg: string) => svg.match(/<line class="interval"/g)?.length ?? 0;

describe('several models in one plot', () => {
  const [small, large] = [reportFor('small', 1), reportFor('large & slow', 3)];
  const files = compareModels([small, large]);

  it('has a line a model, of its best points, for every group and account', () => {
    expect(files.size).toBe(small.groups.length * small.accounts.length);
    for (const group of small.groups) {
      const svg = files.get(`compare-${group.replaceAll('/', '-')}-measured-paper.svg`)!;
      expect(svg).toContain('>small<');
      expect(svg).toContain('>large &amp; slow<');
      expect(markers(svg)).toBe(2 * small.frontiers[group]!['measured-paper']!.length);
      expect(svg.match(/class="frontier"/g)).toHaveLength(1);
    }
  });

  it('refuses what cannot be compared, and says why', () => {
    expect(() => compareModels([small])).toThrow(/nothing to compare/);
    const other = { ...large, groups: ['recall/8'] };
    expect(() => compareModels([small, other])).toThrow(/no task and difficulty in common. small: .*recall\/8/);
  });
});
