/** An experiment's results as files: JSON, CSV, plots. */
import { attentionBudget, type CostAttention, parseAttention } from '../cost/attention.ts';
import { type CurvePoint, type Curves, curvesOf, paretoFrontier, type Quantity } from './curves.ts';
import { type Plot, type PlotPoint, renderPlot } from './plot.ts';
import { SELECTIONS, type Selection } from './selection.ts';
import type { StoredResults, StoreHeader } from './store.ts';

/** Names a point of its group. */
type FrontierKey = readonly [thinking: number, kv: string, n: number];

/** What `results.json` holds. The samples themselves stay in the store. */
export interface LabReport extends Curves {
  readonly format: 'reckon-lab-report';
  readonly version: 1;
  readonly experiment: StoreHeader['experiment'];
  readonly setting: StoreHeader['setting'];
  /** By group, then by account: the points that no other beats on coverage, as [thinking, kv, n]. */
  readonly frontiers: Readonly<Record<string, Readonly<Record<string, readonly FrontierKey[]>>>>;
}

export function reportOf(results: StoredResults): LabReport {
  const curves = curvesOf(results);
  const { experiment, setting } = results.header;
  const frontiers = Object.fromEntries(
    curves.groups.map((group) => [
      group,
      Object.fromEntries(
        curves.accounts.map(({ id }) => [
          id,
          frontierOf(curves, group, costBy(id)).map(({ thinking, kv, n }) => [thinking, kv, n] as const),
        ]),
      ),
    ]),
  );
  return { format: 'reckon-lab-report', version: 1, experiment, setting, ...curves, frontiers };
}

const costBy = (account: string) => (point: CurvePoint) => (point.eflops[account] as Quantity).mean;

function frontierOf({ points }: Curves, group: string, cost: (point: CurvePoint) => number): CurvePoint[] {
  const own = points.filter((point) => point.group === group);
  return paretoFrontier(own, cost, (point) => point.accuracy.coverage.mean);
}

/**
 * Rows as RFC 4180 has them: commas, CRLF after every record, quotes around fields that need them, doubled within.
 * @param rows the names of the columns first.
 */
export function formatCsv(rows: readonly (readonly (string | number)[])[]): string {
  const field = (value: string | number) => {
    const text = String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => `${row.map(field).join(',')}\r\n`).join('');
}

/** A row for every point and way to choose. */
export function curvesCsv(curves: Curves): string {
  const spread = (name: string) => [name, `${name}_low`, `${name}_high`];
  const values = ({ mean, low, high }: Quantity) => [mean, low, high];
  const head = [
    ...['group', 'thinking', 'kv', 'n', 'selection', 'problems', 'samples'],
    ...spread('accuracy'),
    'interval',
    ...spread('tokens'),
    ...['flops', 'bytes'],
    ...curves.accounts.flatMap(({ id }) => spread(`eflops_${id.replaceAll('-', '_')}`)),
  ];
  const rows = curves.points.flatMap((point) =>
    SELECTIONS.map((selection) => {
      const accuracy = point.accuracy[selection];
      return [
        ...[point.group, point.thinking, point.kv, point.n, selection, point.problems, point.samples],
        ...values(accuracy),
        accuracy.method,
        ...values(point.tokens),
        ...[point.flops, point.bytes],
        ...curves.accounts.flatMap(({ id }) => values(point.eflops[id] as Quantity)),
      ];
    }),
  );
  return formatCsv([head, ...rows]);
}

/** Points of a group, by limit and policy: one line of a plot each. */
function linesOf(report: LabReport, group: string): { name: string; points: CurvePoint[] }[] {
  const { thinking, kv } = report.experiment;
  return kv.flatMap((policy) =>
    thinking.map((limit) => ({
      name: kv.length > 1 ? `think ${limit}, ${policy}` : `think ${limit}`,
      points: report.points.filter((point) => point.group === group && point.thinking === limit && point.kv === policy),
    })),
  );
}

function noteOf({ setting, experiment }: LabReport, problems: number): string {
  return `${setting.model} on ${setting.device}: ${problems} problems × ${experiment.samples} samples, 95 % intervals`;
}

function plotAgainst(report: LabReport, group: string, label: string, cost: (point: CurvePoint) => number): Plot {
  const lines = linesOf(report, group);
  const point = (at: CurvePoint): PlotPoint => {
    const { mean, low, high } = at.accuracy.coverage;
    return { x: cost(at), y: mean, low, high, label: String(at.n) };
  };
  return {
    title: `${report.experiment.title}: ${group}`,
    note: noteOf(report, lines[0]?.points[0]?.problems ?? 0),
    x: { label: `${label}, per problem (numbers at the points: N chains)` },
    y: { label: 'coverage: some chain of N is right' },
    series: lines.map((one) => ({ name: one.name, points: one.points.map(point) })),
    frontier: frontierOf(report, group, cost).map((at) => ({ x: cost(at), y: at.accuracy.coverage.mean })),
  };
}

const SELECTION_LABELS: Readonly<Record<Selection, string>> = {
  coverage: 'a perfect verifier',
  majority: 'majority',
  logprob: 'mean log-prob.',
};

/** The ways to choose, side by side at the longest thinking limit. */
function plotSelections(report: LabReport, group: string): Plot {
  const { thinking, kv, n } = report.experiment;
  const [limit, policy] = [thinking.at(-1) as number, kv[0] as string];
  const points = report.points.filter((at) => at.group === group && at.thinking === limit && at.kv === policy);
  return {
    title: `${report.experiment.title}: ${group}, who chooses`,
    note: noteOf(report, points[0]?.problems ?? 0),
    x: { label: `chains of thought, N (thinking up to ${limit} tokens, ${policy})`, ticks: n },
    y: { label: 'accuracy' },
    series: SELECTIONS.map((selection) => ({
      name: SELECTION_LABELS[selection],
      points: points.map((at) => {
        const { mean, low, high } = at.accuracy[selection];
        return { x: at.n, y: mean, low, high };
      }),
    })),
  };
}

/** What a policy is called where several budgets of it make a line. */
const POLICY_LABELS: Readonly<Record<CostAttention['kind'], string>> = {
  dense: 'dense',
  blockTopK: 'block top-k',
  window: 'window',
  tokenTopK: 'oracle (token top-k)',
};

/** Accuracy of one chain against the tokens that each of its tokens may attend to; dense attention as a level line. */
function plotBudgets(report: LabReport, group: string): Plot {
  const { thinking, kv, n } = report.experiment;
  const [limit, chains] = [thinking.at(-1) as number, n[0] as number];
  const policies = kv.map((name) => ({ name, attention: parseAttention(name) }));
  const budgets = policies.map(({ attention }) => attentionBudget(attention)).filter(Number.isFinite);
  const ends = [Math.min(...budgets), Math.max(...budgets)];
  const points = (name: string, at: readonly number[]): PlotPoint[] =>
    report.points
      .filter((point) => point.group === group && point.thinking === limit && point.kv === name && point.n === chains)
      .flatMap(({ accuracy }) => {
        const { mean, low, high } = accuracy.coverage;
        return at.map((x) => ({ x, y: mean, low, high }));
      });
  const series = (Object.keys(POLICY_LABELS) as CostAttention['kind'][]).map((kind) => ({
    name: POLICY_LABELS[kind],
    points: policies
      .filter(({ attention }) => attention.kind === kind)
      .flatMap(({ name, attention }) => points(name, kind === 'dense' ? ends : [attentionBudget(attention)]))
      .sort((a, b) => a.x - b.x),
  }));
  return {
    title: `${report.experiment.title}: ${group}, KV budgets`,
    note: noteOf(report, report.points.find((point) => point.group === group)?.problems ?? 0),
    x: { label: `tokens attended to, for each KV head (thinking up to ${limit} tokens)`, ticks: [...new Set(budgets)] },
    y: { label: chains === 1 ? 'accuracy of one chain' : `coverage of ${chains} chains` },
    series: series.filter((one) => one.points.length > 0),
  };
}

/** Plots of a report, SVG by file name. */
export function plotsOf(report: LabReport): Map<string, string> {
  const files = new Map<string, string>();
  for (const group of report.groups) {
    if (!report.points.some((point) => point.group === group)) continue;
    const name = group.replaceAll('/', '-');
    for (const { id, label } of report.accounts) {
      files.set(`${name}-${id}.svg`, renderPlot(plotAgainst(report, group, label, costBy(id))));
    }
    const tokens = (point: CurvePoint) => point.tokens.mean;
    files.set(`${name}-tokens.svg`, renderPlot(plotAgainst(report, group, 'tokens generated', tokens)));
    files.set(`${name}-selection.svg`, renderPlot(plotSelections(report, group)));
    if (report.experiment.kv.some((policy) => policy !== 'dense')) {
      files.set(`${name}-budgets.svg`, renderPlot(plotBudgets(report, group)));
    }
  }
  return files;
}

/** Everything, text by file name: `results.json`, `results.csv` and the plots. */
export function filesOf(results: StoredResults): Map<string, string> {
  const report = reportOf(results);
  return new Map([
    ['results.json', `${JSON.stringify(report, null, 2)}\n`],
    ['results.csv', curvesCsv(report)],
    ...plotsOf(report),
  ]);
}
