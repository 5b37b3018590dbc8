/** The ways to look at results, and the rows of the table beside the plot. */
import type { CurvePoint, LabReport } from '../../src/lab/index.ts';

/** What stands on the plot's x axis. */
export const VIEWS = [
  { id: 'measured', label: 'eFLOPs counted' },
  { id: 'formula', label: 'eFLOPs by formula' },
  { id: 'tokens', label: 'Tokens' },
  { id: 'selection', label: 'Who chooses' },
  { id: 'budgets', label: 'KV budgets' },
] as const;
export type ViewId = (typeof VIEWS)[number]['id'];

/** Those that the report has something for. */
export function viewsOf({ experiment }: LabReport): readonly (typeof VIEWS)[number][] {
  const sparse = experiment.kv.some((policy) => policy !== 'dense');
  return VIEWS.filter(({ id }) => id !== 'budgets' || sparse);
}

/** Whose I weighs a byte against a FLOP. */
export type Intensity = 'paper' | 'device';

/** The account of costs that a view shows, where the report has it; otherwise the first. */
export function accountOf(report: LabReport, view: ViewId, intensity: Intensity): string {
  const wanted = view === 'formula' ? intensity : `measured-${intensity}`;
  return (report.accounts.find(({ id }) => id === wanted) ?? report.accounts[0])?.id ?? '';
}

/** The plot's file among those of the results. */
export function plotName(report: LabReport, view: ViewId, intensity: Intensity): string {
  const group = (report.groups.at(-1) ?? '').replaceAll('/', '-');
  const kind = view === 'measured' || view === 'formula' ? accountOf(report, view, intensity) : view;
  return `${group}-${kind}.svg`;
}

export interface Row {
  readonly point: CurvePoint;
  readonly eflops: number;
  /** No other is as accurate for less. */
  readonly best: boolean;
}

/** The points of the plotted group with their cost by an account. */
export function rowsOf(report: LabReport, account: string): Row[] {
  const group = report.groups.at(-1) ?? '';
  const frontier = report.frontiers[group]?.[account] ?? [];
  return report.points
    .filter((point) => point.group === group)
    .map((point) => ({
      point,
      eflops: point.eflops[account]?.mean ?? Number.NaN,
      best: frontier.some(([thinking, kv, n]) => thinking === point.thinking && kv === point.kv && n === point.n),
    }));
}

/** 0.873 → "87 %"; "100 %" and "0 %" only where it is exact. */
export function share(value: number): string {
  const whole = Math.round(100 * value);
  const clipped = value > 0 && value < 1 ? Math.min(99, Math.max(1, whole)) : whole;
  return `${clipped} %`;
}
