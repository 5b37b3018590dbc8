import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BOUNDS, formFor, formOf, type LabForm, limitsFor, planOf, reformed, workOf } from '../../demo/lab/plan.ts';
import { type Experiment, unitsOf } from '../../src/lab/index.ts';

const DEFAULT_FORM = formFor('proto');

function experimentOf(form: LabForm): Experiment {
  const plan = planOf(form);
  if ('complaints' in plan) throw new Error(JSON.stringify(plan.complaints));
  return plan.experiment;
}

function complaintsOf(patch: Partial<LabForm>) {
  const plan = planOf({ ...DEFAULT_FORM, ...patch });
  return 'complaints' in plan ? plan.complaints : {};
}

const forms: fc.Arbitrary<LabForm> = fc
  .record({
    model: fc.constantFrom('proto', 'reckon-1m'),
    task: fc.constantFrom('countdown', 'kk'),
    style: fc.constantFrom('auto', 'full', 'pruned'),
    problems: fc.integer({ min: 1, max: 5 }),
    n: fc.uniqueArray(fc.integer({ min: 1, max: 32 }), { minLength: 1, maxLength: 5 }),
    thinking: fc.uniqueArray(fc.integer({ min: 1, max: 4096 }), { minLength: 1, maxLength: 4 }),
    more: fc.integer({ min: 0, max: 60 }),
    temperature: fc.integer({ min: 0, max: 20 }).map((tenths) => tenths / 10),
    kv: fc.uniqueArray(fc.constantFrom('dense', 'block:16x4', 'window:4+64', 'topk:32'), { minLength: 1 }),
  })
  .map(({ model, task, style, problems, n, thinking, more, temperature, kv }) => ({
    model,
    task,
    style: model === 'proto' ? ('auto' as const) : style,
    difficulty: task === 'countdown' ? 3 : 2,
    problems,
    n: [...n].sort((a, b) => a - b).join(', '),
    thinking: [...thinking].sort((a, b) => a - b).join(', '),
    samples: Math.max(...n) + more,
    temperature,
    kv: kv.join(', '),
  }));

describe("the lab's form", () => {
  it('starts with an experiment that can be run', () => {
    const experiment = experimentOf(DEFAULT_FORM);
    expect(experiment).toMatchObject({ problems: 6, n: [1, 2, 4, 8, 16], thinking: [25, 50, 100], samples: 24 });
    expect(experiment.title).toBe('Countdown, 3 numbers');
  });

  it('follows the model and the task: what still fits stays, limits that a person wrote stay, too', () => {
    const family = reformed(DEFAULT_FORM, { model: 'reckon-1m' });
    expect(family).toMatchObject({ model: 'reckon-1m', task: 'countdown', difficulty: 3 });
    expect(family.thinking).toBe(limitsFor('reckon-1m', 'countdown', 3));
    const people = reformed(family, { task: 'kk' });
    expect(reformed(people, { difficulty: 4 })).toMatchObject({ difficulty: 4, thinking: '168, 336, 672' });
    expect(reformed({ ...people, thinking: '5, 6' }, { difficulty: 4 }).thinking).toBe('5, 6');
    expect(reformed(people, { model: 'proto' })).toMatchObject({ task: 'countdown', difficulty: 3 });
  });

  it('asks the family to think at a length', () => {
    expect(experimentOf({ ...formFor('reckon-1m'), style: 'pruned' }).system).toBe('Think briefly.');
    expect(experimentOf(formFor('reckon-1m'))).not.toHaveProperty('system');
  });

  it('complains about attention where it stands', () => {
    expect(complaintsOf({ kv: '' }).kv).toContain('such as dense');
    expect(complaintsOf({ kv: 'dense, sharp' }).kv).toContain('Forms: dense');
    expect(complaintsOf({ kv: 'dense dense' }).kv).toContain('twice');
  });

  it('makes an experiment that makes the same form', () => {
    fc.assert(
      fc.property(forms, (form) => {
        expect(formOf(experimentOf(form))).toEqual(form);
      }),
      { numRuns: 50 },
    );
  });

  it('tells the work that the units then are', () => {
    fc.assert(
      fc.property(forms, (form) => {
        const experiment = experimentOf(form);
        const units = unitsOf(experiment);
        const work = workOf(experiment);
        expect(work.runs).toBe(units.length);
        expect(work.chains).toBe(units.reduce((sum, unit) => sum + unit.samples, 0));
        expect(work.mostTokens).toBe(
          units.reduce((sum, unit) => sum + unit.samples * (unit.thinking + experiment.answer), 0),
        );
      }),
      { numRuns: 50 },
    );
  });

  it('reads lists with commas or spaces, in any order', () => {
    const { n, thinking } = experimentOf({ ...DEFAULT_FORM, n: ' 8 1,2;4, ', thinking: '64 8' });
    expect(n).toEqual([1, 2, 4, 8]);
    expect(thinking).toEqual([8, 64]);
  });

  it('says of each field what is wrong with it', () => {
    expect(complaintsOf({ n: '1, 33' }).n).toContain('from 1 to 32');
    expect(complaintsOf({ n: '' }).n).toContain('whole numbers');
    expect(complaintsOf({ n: '2, 2' }).n).toContain('once');
    expect(complaintsOf({ thinking: '1.5' }).thinking).toContain('whole numbers');
    expect(complaintsOf({ thinking: '-3' }).thinking).toContain('from 1 to 4096');
    expect(complaintsOf({ samples: 8 }).samples).toContain('at least 16');
    expect(complaintsOf({ temperature: 3 }).temperature).toContain('from 0 to 2');
    const all = complaintsOf({ problems: Number.NaN, n: 'x', thinking: 'y', samples: 0, temperature: Number.NaN });
    expect(Object.keys(all).sort()).toEqual(Object.keys(BOUNDS).sort());
  });

  it('is refused where the task has too few problems', () => {
    expect(complaintsOf({ task: 'knights', difficulty: 2, problems: 500 }).problems).toMatch(/Ask for at most \d+/);
  });
});
