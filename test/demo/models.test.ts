import { describe, expect, it } from 'vitest';
import { choiceInAddress, choiceName, choiceOf, DEFAULT_CHOICE, referenceOf } from '../../demo/models/choice.ts';
import type { Keeper } from '../../demo/models/keeper.ts';
import { rowsOf, runsOnReckon, type Surroundings } from '../../demo/models/list.ts';
import { Shelf, type ShelfState } from '../../demo/models/shelf.ts';
import { fitReasons, fitWords, progressWords, spaceWords, storedWords, timeLeft } from '../../demo/models/words.ts';
import { modelNamed } from '../../src/catalogue/index.ts';
import { parseModelName } from '../../src/checkpoint/hub/reference.ts';
import type { DownloadProgress, StoredModel } from '../../src/checkpoint/store/types.ts';
import { EMBEDDED_MODELS } from '../../src/cost/catalogue.ts';
import { abortedError, ReckonError } from '../../src/errors.ts';

const stored = (name: string, complete = true): StoredModel => ({
  key: name.replace('/', '--'),
  name,
  origin: parseModelName(name),
  revision: null,
  complete,
  bytes: complete ? 335e6 : 120e6,
  total: 335e6,
  files: [],
  created: 0,
});
const progress: DownloadProgress = {
  phase: 'downloading',
  loaded: 120e6,
  total: 351e6,
  received: 1,
  bytesPerSecond: 8.1e6,
  secondsLeft: 28.5,
  files: { done: 2, total: 9 },
  trouble: null,
};
const around: Surroundings = { device: null, free: null, plan: { lanes: 8, length: 4096, kv: 'f16', quantize: null } };

describe('the words of the chooser', () => {
  it('tell how far a download is, and no more exactly than it is known', () => {
    expect(progressWords(progress)).toBe('Fetching · 120 MB of 351 MB · 8.1 MB/s · 29 s left');
    expect(progressWords({ ...progress, phase: 'listing', total: 0 })).toBe('Asking what there is to fetch');
    expect(progressWords({ ...progress, trouble: '503' })).toMatch(/trying again: 503$/);
    expect([0.2, 59.2, 61, 3599, 5400, null].map((seconds) => timeLeft(seconds))).toEqual([
      'done in a moment',
      '60 s left',
      '2 min left',
      '60 min left',
      'about 1.5 h left',
      '',
    ]);
  });

  it('tell what is here and what room there is', () => {
    expect(storedWords(stored('a/b'))).toBe('on this device, 335 MB');
    expect(storedWords(stored('a/b', false))).toBe('120 MB of 335 MB here');
    expect(spaceWords({ free: 10e9, models: 0, persistent: false })).toBe(
      'No model is kept here yet; the browser allows 10 GB more.',
    );
    expect(spaceWords({ free: null, models: 2.3e9, persistent: false })).toMatch(
      /^Models take 2\.3 GB here\. The browser may clear/,
    );
  });

  it('tell whether a model runs, through what, and what would', () => {
    const { there } = rowsOf([], around, { text: '', fitting: false });
    const row = (id: string) => there.find(({ name }) => name === id)!;
    expect(fitWords(row('Qwen3-0.6B-q4f16_1-MLC').fit)).toEqual({ verdict: 'runs', short: 'runs here' });
    const large = row('DeepSeek-R1-Distill-Qwen-7B');
    expect(fitWords(large.fit).verdict).toBe('too-large');
    expect(fitReasons(large.fit, large.suggest(), large.entry!)).toMatch(/alone need.*fits/);
    const other = row('gemma-2-2b-it-q4f16_1-MLC');
    expect(fitWords(other.fit)).toEqual({ verdict: 'other', short: 'through web-llm' });
    expect(fitReasons(other.fit, [], other.entry!)).toMatch(/one lane at a time.* 1\.9 GB of GPU memory/);
  });
});

describe('the rows of the chooser', () => {
  it('have what is here on top, each model once, and others that the catalogue does not have', () => {
    const here = [stored('mlc-ai/Qwen3-0.6B-q4f16_1-MLC'), stored('someone/else', false)];
    const rows = rowsOf(here, around, { text: '', fitting: false });
    expect(rows.here.map(({ name }) => name)).toEqual([
      ...EMBEDDED_MODELS,
      ...['Qwen3-0.6B-q4f16_1-MLC', 'someone/else'],
    ]);
    expect(rows.there.some(({ name }) => name === 'Qwen3-0.6B-q4f16_1-MLC')).toBe(false);
    // What is here need not be fetched again.
    expect(rowsOf(here, { ...around, free: 0 }, { text: '', fitting: false }).here.at(-2)!.fit?.fits).toBe(true);
    expect(rowsOf([], { ...around, free: 0 }, { text: '', fitting: true }).there).toEqual([]);
  });

  it('are found by words in any order, and by whether they run', () => {
    const found = (text: string, fitting = false) =>
      rowsOf([], around, { text, fitting }).there.map(({ name }) => name);
    expect(found('Q4F16 smollm2 1.7b')).toEqual(['SmolLM2-1.7B-Instruct-q4f16_1-MLC']);
    expect(found('llama-3.2 community').length).toBeGreaterThan(3);
    const large = (names: string[]) => names.filter((name) => /70B/.test(name));
    expect(large(found('', true))).toEqual([]);
    expect(large(found('')).length).toBeGreaterThan(0);
    const plan = { ...around.plan, length: 1024 };
    const eight = (quantize: '4bit' | null) =>
      rowsOf([], { ...around, plan: { ...plan, quantize } }, { text: 'Qwen/Qwen3-8B', fitting: true }).there.map(
        ({ name }) => name,
      );
    expect(eight(null)).toEqual([]);
    expect(eight('4bit')).toEqual(['Qwen3-8B']);
  });
});

describe('a choice', () => {
  it('is loaded from where it is, by the engine that knows it', () => {
    const choice = (id: string) => choiceOf(modelNamed(id), runsOnReckon(modelNamed(id)));
    expect(choice('proto')).toEqual(choiceInAddress('?model=proto'));
    expect(choice('gemma-2-2b-it-q4f16_1-MLC')).toEqual({ kind: 'web-llm', id: 'gemma-2-2b-it-q4f16_1-MLC' });
    const remote = choice('Qwen3-0.6B');
    expect(choiceName(remote)).toBe('Qwen/Qwen3-0.6B');
    if (remote.kind !== 'remote') throw new Error('It is fetched.');
    expect(referenceOf(remote.origin)).toMatchObject({ repository: 'Qwen/Qwen3-0.6B', revision: 'main' });
    expect(referenceOf(parseModelName('http://localhost:1/x'))).toBe('http://localhost:1/x/');
  });

  it('may be in the address, if it comes with the page', () => {
    expect(choiceInAddress('?seed=3')).toBe(DEFAULT_CHOICE);
    for (const name of ['Qwen/Qwen3-0.6B', '../secrets', 'https://elsewhere/x', '']) {
      expect(() => choiceInAddress(`?model=${encodeURIComponent(name)}`)).toThrow(/The address asks for/);
    }
  });
});

/** A store whose downloads end when the test says so. */
class ScriptedKeeper implements Keeper {
  models: StoredModel[] = [];
  persisted = 0;
  token: string | undefined;
  finish: (outcome: StoredModel | Error) => void = () => {};
  report: (progress: DownloadProgress) => void = () => {};

  list = async () => this.models;
  space = async () => ({ free: 1e9, models: 0, persistent: false });
  persist = async () => ++this.persisted > 0;
  delete = async (model: StoredModel) => {
    if (model.name === 'busy/model') throw new ReckonError('storage', 'It is being downloaded.');
    this.models = this.models.filter(({ key }) => key !== model.key);
  };
  download: Keeper['download'] = (origin, { signal, token, onProgress = () => {} }) =>
    new Promise((resolve, reject) => {
      this.token = token;
      this.report = onProgress;
      this.finish = (outcome) => (outcome instanceof Error ? reject(outcome) : resolve(outcome));
      signal?.addEventListener('abort', () => reject(abortedError('The download', signal)));
      expect(origin.kind).toBe('repository');
    });
}

describe('the shelf', () => {
  const setUp = () => {
    const keeper = new ScriptedKeeper();
    const states: ShelfState[] = [];
    return { keeper, states, shelf: new Shelf(keeper, (state) => states.push(state)) };
  };
  const origin = parseModelName('maker/model');

  it('knows nothing of what is here before the store has answered', async () => {
    const { keeper, shelf } = setUp();
    expect(shelf.state.looked).toBe(false);
    keeper.list = () => Promise.reject(new ReckonError('storage', 'The disk is gone.'));
    await shelf.refresh();
    // An answer, too: what can be fetched is shown beside it.
    expect(shelf.state).toMatchObject({
      looked: true,
      stored: [],
      trouble: { why: expect.stringContaining('disk is gone') },
    });
  });

  it('brings one model at a time here, and looks again at what is here', async () => {
    const { keeper, shelf, states } = setUp();
    const done = shelf.download(origin, { token: 'secret', keep: true });
    await expect.poll(() => keeper.token).toBe('secret');
    expect(keeper.persisted).toBe(1);
    keeper.report(progress);
    expect(shelf.state.download).toMatchObject({ name: 'maker/model', progress: { loaded: 120e6 } });
    expect(await shelf.download(origin, { keep: false })).toBe(false);
    keeper.models = [stored('maker/model')];
    keeper.finish(keeper.models[0]!);
    expect(await done).toBe(true);
    // No state in between in which the model is neither on its way nor here.
    expect(states.filter(({ download }) => download === null)).toHaveLength(1);
    expect(shelf.state).toMatchObject({ download: null, trouble: null, stored: [{ name: 'maker/model' }] });
    expect(JSON.stringify(shelf.state)).not.toContain('secret');
  });

  it('says nothing of a download that was cancelled, and what is wrong with one that failed', async () => {
    const { keeper, shelf, states } = setUp();
    const cancelled = shelf.download(origin, { keep: false });
    await expect.poll(() => shelf.state.download !== null).toBe(true);
    shelf.cancel();
    expect(await cancelled).toBe(false);
    expect(states.some(({ download }) => download?.ending)).toBe(true);
    expect(shelf.state.trouble).toBeNull();
    const failed = shelf.download(origin, { keep: false });
    keeper.finish(new ReckonError('access-denied', 'It is gated.', { hint: 'Give a token.' }));
    expect(await failed).toBe(false);
    expect(shelf.state.trouble?.todo).toContain('access token');
  });

  it('deletes, or says why not', async () => {
    const { keeper, shelf } = setUp();
    keeper.models = [stored('maker/model'), stored('busy/model')];
    await shelf.refresh();
    for (const model of shelf.state.stored) await shelf.delete(model);
    expect(shelf.state.stored.map(({ name }) => name)).toEqual(['busy/model']);
    expect(shelf.state.trouble?.why).toContain('being downloaded');
  });
});
