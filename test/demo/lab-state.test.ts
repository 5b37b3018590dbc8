import { describe, expect, it } from 'vitest';
import { IDLE, isBusy, type LabAction, type LabView, labNews, reduceLab } from '../../demo/lab/state.ts';
import { accountOf, plotName, rowsOf, share } from '../../demo/lab/views.ts';
import { WatchedStore, wholeProblems } from '../../demo/lab/watched-store.ts';
import { ReckonError } from '../../src/errors.ts';
import { filesOf, type LabProgress, MemoryStore, reportOf } from '../../src/lab/index.ts';
import { plainError } from '../../src/worker/protocol.ts';
import { madeResults } from '../lab/made.ts';

const MODEL = { name: 'proto', device: 'a device', software: false };

function progressAt(unitsDone: number): LabProgress {
  return {
    unitsDone,
    unitsTotal: 8,
    samplesDone: 4 * unitsDone,
    samplesTotal: 32,
    samplesRight: unitsDone,
    resumed: 0,
    tokens: 100 * unitsDone,
    seconds: unitsDone,
    secondsLeft: 8 - unitsDone,
  };
}

function play(...actions: LabAction[]): { view: LabView; news: string[] } {
  const news: string[] = [];
  const view = actions.reduce((before, action) => {
    const after = reduceLab(before, action);
    const said = labNews(before, after);
    if (said) news.push(said);
    return after;
  }, IDLE);
  return { view, news };
}

describe("the lab page's state", () => {
  it('goes from start to end, and tells a screen reader every quarter', () => {
    const steps = Array.from({ length: 9 }, (_, i): LabAction => ({ type: 'progress', progress: progressAt(i) }));
    const { view, news } = play({ type: 'start' }, { type: 'ready', model: MODEL }, ...steps, {
      type: 'end',
      how: 'finished',
    });
    expect(view).toMatchObject({ phase: 'finished', model: MODEL, trouble: null });
    expect(isBusy(view)).toBe(false);
    expect(news).toEqual([
      'Loading the model.',
      'The experiment runs.',
      ...[2, 4, 6, 8].map((done) => `${done} of 8 runs are done.`),
      'The experiment is finished.',
    ]);
  });

  it('stays with pausing until the worker has paused, also while the model loads', () => {
    const { view } = play({ type: 'start' }, { type: 'pausing' }, { type: 'ready', model: MODEL });
    expect(view.phase).toBe('pausing');
    expect(isBusy(view)).toBe(true);
    expect(reduceLab(view, { type: 'end', how: 'paused' }).phase).toBe('paused');
  });

  it('tells an error as sentences and keeps the results', () => {
    const files = filesOf(madeResults());
    const error = plainError(new ReckonError('device-lost', 'The device was lost: no reason.'));
    const { view } = play(
      { type: 'start' },
      { type: 'ready', model: MODEL },
      { type: 'results', files },
      { type: 'error', error },
    );
    expect(view.phase).toBe('failed');
    expect(view.trouble).toMatchObject({ what: 'The connection to the graphics processor was lost.', reload: true });
    expect(view.results?.report).toEqual(reportOf(madeResults()));
    expect(view.results?.files.get('results.csv')).toBe(files.get('results.csv'));
  });

  it('is as it was after results were only looked at', () => {
    const { view } = play({ type: 'results', files: filesOf(madeResults()) }, { type: 'end', how: 'shown' });
    expect(view.phase).toBe('idle');
    expect(reduceLab(view, { type: 'clear' }).results).toBeNull();
  });
});

describe('results while an experiment runs', () => {
  it('are those of whole problems only', () => {
    const results = madeResults();
    expect(wholeProblems(results)).toEqual(results);
    // Two units a problem: the third problem has lost one of them.
    const cut = { ...results, units: results.units.filter((_, i) => i !== 5) };
    const whole = wholeProblems(cut);
    expect(whole?.units.map(({ unit }) => unit)).toEqual(
      results.units.filter((_, i) => i !== 4 && i !== 5).map(({ unit }) => unit),
    );
    expect(wholeProblems({ ...results, units: results.units.slice(0, 1) })).toBeNull();
  });

  it('are told by the store as the experiment now wants them looked at', async () => {
    const { header, units } = madeResults();
    const inner = new MemoryStore();
    const now = { ...header.experiment, n: [1] };
    let appended = 0;
    const store = new WatchedStore(inner, now, () => appended++);
    expect(store.results).toBeNull();
    await store.begin(header);
    for (const unit of units) await store.append(unit);
    expect(appended).toBe(units.length);
    expect(store.results).toEqual({ header: { ...header, experiment: now }, units });
    expect(await inner.load()).toEqual({ header, units });

    const again = new WatchedStore(inner, now, () => {});
    expect(await again.load()).toEqual({ header, units });
    expect(again.results).toEqual(store.results);
  });
});

describe('the ways to look at results', () => {
  const report = reportOf(madeResults());
  const files = filesOf(madeResults());

  it('name plots that are there', () => {
    for (const intensity of ['paper', 'device'] as const) {
      for (const view of ['measured', 'formula', 'tokens', 'selection'] as const) {
        expect([...files.keys()]).toContain(plotName(report, view, intensity));
      }
    }
    expect(accountOf(report, 'measured', 'device')).toBe('measured-device');
    // Made results know no model's shape: there is no formula, and what was counted stands in.
    expect(accountOf(report, 'formula', 'device')).toBe('measured-paper');
  });

  it('list the points of the plotted group, the frontier marked', () => {
    const rows = rowsOf(report, 'measured-paper');
    expect(rows).toHaveLength(4);
    expect(rows.every(({ point }) => point.group === 'all')).toBe(true);
    expect(rows.filter(({ best }) => best)).toHaveLength(report.frontiers.all!['measured-paper']!.length);
    for (const { point, eflops } of rows) expect(eflops).toBeCloseTo(point.flops + 562.5 * point.bytes, 0);
  });

  it('write shares that do not claim certainty', () => {
    expect([0, 0.001, 0.5, 0.876, 0.999, 1].map(share)).toEqual(['0 %', '1 %', '50 %', '88 %', '99 %', '100 %']);
  });
});
