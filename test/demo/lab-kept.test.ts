import { describe, expect, it } from 'vitest';
import {
  comparable,
  keep,
  keepSpeed,
  readKept,
  readSpeed,
  storeName,
  type TextStorage,
  unkeep,
} from '../../demo/lab/kept.ts';
import { formFor, type LabForm, planOf } from '../../demo/lab/plan.ts';

function experimentOf(patch: Partial<LabForm> = {}) {
  const plan = planOf({ ...formFor('proto'), ...patch });
  if ('complaints' in plan) throw new Error(JSON.stringify(plan.complaints));
  return plan.experiment;
}

function entryOf(patch: Partial<LabForm> = {}, runsDone = 0) {
  const experiment = experimentOf(patch);
  return { name: storeName(experiment), experiment, runsDone, runsTotal: 18 };
}

function memory(): TextStorage & { text: Map<string, string> } {
  const text = new Map<string, string>();
  return { text, getItem: (key) => text.get(key) ?? null, setItem: (key, value) => void text.set(key, value) };
}

const FORBIDDEN: TextStorage = {
  getItem() {
    throw new Error('forbidden');
  },
  setItem() {
    throw new Error('forbidden');
  },
};

describe('the index of kept experiments', () => {
  it('holds each experiment once, the latest first, and forgets it when told', () => {
    const storage = memory();
    const [one, other] = [entryOf(), entryOf({ problems: 7 })];
    keep(storage, one);
    keep(storage, other);
    expect(readKept(storage)).toEqual([other, one]);
    const later = { ...one, runsDone: 5 };
    expect(keep(storage, later)).toEqual([later, other]);
    expect(unkeep(storage, other.name)).toEqual([later]);
    expect(readKept(storage)).toEqual([later]);
  });

  it('takes other N for another look at the same samples, and all else for another experiment', () => {
    expect(storeName(experimentOf({ n: '1, 3' }))).toBe(storeName(experimentOf()));
    const names = [
      {},
      { problems: 7 },
      { samples: 32 },
      { thinking: '8' },
      { temperature: 0.5 },
      { difficulty: 4 },
      { model: 'reckon-1m' },
      { model: 'reckon-1m', style: 'full' as const },
    ].map((patch) => storeName(experimentOf(patch)));
    expect(new Set(names).size).toBe(names.length);
  });

  it('finds what can be compared: the same puzzles, another model, something done', () => {
    const [proto, small, large] = [entryOf({}, 3), entryOf({ model: 'reckon-1m' }, 4), entryOf({ model: 'reckon-2m' })];
    const older = entryOf({ model: 'reckon-1m', problems: 7 }, 9);
    const harder = entryOf({ model: 'reckon-2m', difficulty: 4 }, 9);
    expect(comparable([small, proto, large, older, harder], proto.experiment)).toEqual([small, proto]);
    expect(comparable([small, older], small.experiment)).toEqual([]);
  });

  it('drops what it cannot read, and nothing else', () => {
    const storage = memory();
    const good = entryOf();
    keep(storage, good);
    const [key, text] = [...storage.text][0]!;
    const strange = [null, 3, { experiment: {} }, { experiment: { tasks: [] }, runsDone: 1, runsTotal: 2 }];
    storage.text.set(key, JSON.stringify([...strange, ...JSON.parse(text)]));
    expect(readKept(storage)).toEqual([good]);
    for (const broken of ['{', '{}', '7', '']) {
      storage.text.set(key, broken);
      expect(readKept(storage)).toEqual([]);
    }
  });

  it('lasts as long as the page where storage is forbidden', () => {
    const entry = entryOf();
    expect(readKept(FORBIDDEN)).toEqual([]);
    expect(keep(FORBIDDEN, entry)).toEqual([entry]);
    keepSpeed(FORBIDDEN, 1);
    expect(readSpeed(FORBIDDEN)).toBeNull();
  });

  it('remembers the pace', () => {
    const storage = memory();
    expect(readSpeed(storage)).toBeNull();
    keepSpeed(storage, 412.5);
    expect(readSpeed(storage)).toBe(412.5);
  });
});
