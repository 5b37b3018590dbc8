/** Several models in one plot: what each reaches for its cost, and which of them is the best to spend on. */
import { ReckonError } from '../errors.ts';
import { paretoFrontier } from './curves.ts';
import type { LabReport } from './export.ts';
import { type Plot, type PlotPoint, renderPlot } from './plot.ts';

/** A point that no other of its model beats. */
interface Best {
  readonly x: number;
  readonly y: number;
  readonly point: PlotPoint;
}

/** The frontier of one report on a group, by an account of costs. */
function bestOf({ points }: LabReport, group: string, account: string): Best[] {
  const own = points
    .filter((point) => point.group === group)
    .map((at) => {
      const x = at.eflops[account]?.mean ?? Number.NaN;
      const { mean: y, low, high } = at.accuracy.coverage;
      return { x, y, point: { x, y, low, high, label: `${at.n}×${at.thinking}` } };
    })
    .filter(({ x }) => x > 0);
  return paretoFrontier(
    own,
    ({ x }) => x,
    ({ y }) => y,
  );
}

/** What all of them have, in the order of the first. */
function common<T>(lists: readonly (readonly T[])[]): T[] {
  const [first = [], ...rest] = lists;
  return first.filter((item) => rest.every((list) => list.includes(item)));
}

/**
 * Plots of reports on the same problems, SVG by file name: for each group and account of costs that all of them have, a line a
 * report of its best points.
 * @throws ReckonError `bad-option` for fewer than two reports, or where they have no group in common.
 */
export function compareModels(reports: readonly LabReport[]): Map<string, string> {
  if (reports.length < 2) {
    throw new ReckonError('bad-option', 'There is nothing to compare.', { hint: 'Give the results of two models.' });
  }
  const groups = common(reports.map((report) => report.groups));
  const accounts = common(reports.map((report) => report.accounts.map(({ id }) => id)));
  if (groups.length === 0) {
    throw new ReckonError('bad-option', 'The experiments have no task and difficulty in common.', {
      hint: reports.map(({ setting, groups: own }) => `${setting.model}: ${own.join(', ') || 'none'}`).join('; '),
    });
  }
  const files = new Map<string, string>();
  for (const group of groups) {
    for (const account of accounts) {
      files.set(`compare-${group.replaceAll('/', '-')}-${account}.svg`, renderPlot(plotOf(reports, group, account)));
    }
  }
  return files;
}

function plotOf(reports: readonly LabReport[], group: string, account: string): Plot {
  const [first] = reports as [LabReport, ...LabReport[]];
  const lines = reports.map((report) => ({ report, best: bestOf(report, group, account) }));
  const problems = reports.map(({ points }) => points.find((point) => point.group === group)?.problems ?? 0);
  const devices = [...new Set(reports.map(({ setting }) => setting.device))];
  const label = first.accounts.find(({ id }) => id === account)?.label ?? account;
  const frontier = paretoFrontier(
    lines.flatMap(({ best }) => best),
    ({ x }) => x,
    ({ y }) => y,
  );
  return {
    title: `${group}: accuracy against cost, by model`,
    note: `${[...new Set(problems)].join(' / ')} problems on ${devices.join(' / ')}, 95 % intervals`,
    x: { label: `${label}, per problem (N × thinking limit at the points)` },
    y: { label: 'coverage: some chain of N is right' },
    series: lines.map(({ report, best }) => ({ name: report.setting.model, points: best.map(({ point }) => point) })),
    frontier: frontier.map(({ x, y }) => ({ x, y })),
  };
}
