/** What the lab's page shows, and how it follows from what the worker tells. */
import type { LoadProgress } from '../../src/api/types.ts';
import type { LabProgress, LabReport } from '../../src/lab/index.ts';
import { thrownError } from '../../src/worker/protocol.ts';
import { explain, type Trouble } from '../trouble.ts';
import type { LabEvent, ModelFacts } from './protocol.ts';

export type Phase = 'idle' | 'loading' | 'running' | 'pausing' | 'paused' | 'finished' | 'failed';

export interface Results {
  readonly files: ReadonlyMap<string, string>;
  readonly report: LabReport;
}

export interface LabView {
  readonly phase: Phase;
  readonly loading: LoadProgress | null;
  readonly model: ModelFacts | null;
  readonly progress: LabProgress | null;
  readonly results: Results | null;
  /** Plots of several models, by file name. */
  readonly comparison: ReadonlyMap<string, string> | null;
  readonly trouble: Trouble | null;
  /** Why the browser keeps nothing; null where it does. */
  readonly unkept: string | null;
}

export const IDLE: LabView = {
  phase: 'idle',
  loading: null,
  model: null,
  progress: null,
  results: null,
  comparison: null,
  trouble: null,
  unkept: null,
};

export type LabAction =
  | { readonly type: 'start' }
  | { readonly type: 'pausing' }
  /** Another experiment is looked at. */
  | { readonly type: 'clear' }
  | { readonly type: 'trouble'; readonly trouble: Trouble }
  | LabEvent;

/** True while the worker is at work on an experiment. */
export function isBusy({ phase }: LabView): boolean {
  return phase === 'loading' || phase === 'running' || phase === 'pausing';
}

const busy = (view: LabView, phase: Phase): Phase => (view.phase === 'pausing' ? 'pausing' : phase);

export function reduceLab(view: LabView, action: LabAction): LabView {
  switch (action.type) {
    case 'start':
      return { ...view, phase: 'loading', loading: null, progress: null, trouble: null };
    case 'pausing':
      return isBusy(view) ? { ...view, phase: 'pausing' } : view;
    case 'clear':
      return { ...view, phase: 'idle', progress: null, results: null, comparison: null, trouble: null };
    case 'trouble':
      return { ...view, phase: 'failed', trouble: action.trouble };
    case 'loading':
      return { ...view, loading: action.progress };
    case 'ready':
      return { ...view, phase: busy(view, 'running'), loading: null, model: action.model };
    case 'unkept':
      return { ...view, unkept: action.why };
    case 'progress':
      return { ...view, progress: action.progress };
    case 'results': {
      const report = JSON.parse(action.files.get('results.json') ?? 'null') as LabReport;
      return { ...view, results: { files: action.files, report } };
    }
    case 'compared':
      return { ...view, comparison: action.files };
    case 'end':
      return action.how === 'finished' || action.how === 'paused' ? { ...view, phase: action.how } : view;
    case 'error':
      return { ...view, phase: 'failed', trouble: explain(thrownError(action.error), view.model ? 'run' : 'load') };
  }
}

const QUARTERS = 4;

/** What a screen reader is told: the phases, and every quarter of the way. */
export function labNews(before: LabView, after: LabView): string | null {
  if (before.phase !== after.phase) {
    switch (after.phase) {
      case 'loading':
        return 'Loading the model.';
      case 'running':
        return 'The experiment runs.';
      case 'paused':
        return 'Paused. What is done is kept.';
      case 'finished':
        return 'The experiment is finished.';
      default:
        return null;
    }
  }
  const quarter = ({ progress }: LabView) =>
    progress ? Math.floor((QUARTERS * progress.unitsDone) / progress.unitsTotal) : 0;
  if (!after.progress || after.progress === before.progress || quarter(after) <= quarter(before)) return null;
  return `${after.progress.unitsDone} of ${after.progress.unitsTotal} runs are done.`;
}
