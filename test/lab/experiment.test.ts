import { describe, expect, it } from 'vitest';
import { DEFAULT_MODEL } from '../../src/cost/catalogue.ts';
import { isReckonError } from '../../src/errors.ts';
import { checkExperiment, parseExperiment } from '../../src/lab/experiment.ts';

const least = { tasks: [{ task: 'countdown' }], problems: 4, thinking: [64, 16] };

describe('an experiment', () => {
  it('fills in what is left out, and sorts what has an order', () => {
    expect(checkExperiment(least)).toEqual({
      title: 'Experiment',
      model: DEFAULT_MODEL,
      tasks: [{ task: 'countdown', difficulties: [3] }],
      problems: 4,
      seed: 1,
      samples: 32,
      n: [1, 2, 4, 8, 16, 32],
      thinking: [16, 64],
      answer: 64,
      sampling: {},
      kv: ['dense'],
      lanes: 32,
      presets: ['measured', 'paper', 'device'],
      resamples: 2000,
    });
  });

  it('takes everything as it is given, and itself again', () => {
    const whole = {
      title: 'All',
      model: 'https://example.org/model/',
      tasks: [
        { task: 'countdown', difficulties: [3, 4] },
        { task: 'knights', difficulties: [2] },
      ],
      problems: 2,
      seed: 0,
      samples: 12,
      n: [1, 3, 12],
      thinking: [8],
      answer: 16,
      sampling: { temperature: 0.6, topP: 0.95, topK: 20 },
      kv: ['dense'],
      lanes: 5,
      presets: ['measured'],
      resamples: 500,
    };
    expect(checkExperiment(whole)).toEqual(whole);
    expect(parseExperiment(JSON.stringify(checkExperiment(least)))).toEqual(checkExperiment(least));
  });

  it.each([
    [null, /The experiment is null; it must be an object/],
    [[], /The experiment is \[\]/],
    [{ ...least, lenght: 3 }, /The experiment has no field "lenght"\. It has: title, model/],
    [{ ...least, title: '' }, /title is ""; it must be a text/],
    [{ ...least, model: 7 }, /model is 7/],
    [{ ...least, tasks: undefined }, /tasks is undefined; it must be a list/],
    [{ ...least, tasks: [] }, /tasks is \[\]/],
    [{ ...least, tasks: ['countdown'] }, /tasks\[0\] is "countdown"; it must be an object/],
    [{ ...least, tasks: [{ task: 'chess' }] }, /no task "chess"\. Known tasks: countdown, knights/],
    [
      { ...least, tasks: [{ task: 'countdown', difficulties: [99] }] },
      /tasks\[0\]\.difficulties names 99.*It has: 3, 4, 5/,
    ],
    [{ ...least, tasks: [{ task: 'countdown' }, { task: 'countdown' }] }, /tasks\[1\]\.task is "countdown", which/],
    [{ ...least, problems: undefined }, /problems is undefined; it must be a whole number/],
    [{ ...least, problems: 0 }, /problems is 0/],
    [{ ...least, seed: -1 }, /seed is -1/],
    [{ ...least, samples: 8 }, /samples is 8, but n goes up to 32\..*draw at least 32/],
    [{ ...least, n: [1, 0] }, /n\[1\] is 0/],
    [{ ...least, n: [2, 2] }, /n names a number twice/],
    [{ ...least, n: 4 }, /n is 4; it must be a list/],
    [{ ...least, thinking: ['64'] }, /thinking\[0\] is "64"/],
    [{ ...least, answer: 1.5 }, /answer is 1\.5/],
    [{ ...least, sampling: { seed: 3 } }, /sampling has no field "seed"/],
    [{ ...least, sampling: { temperature: null } }, /sampling\.temperature is null/],
    [{ ...least, sampling: { topP: 0 } }, /topP is 0/],
    [{ ...least, kv: ['sparse'] }, /kv\[0\] is no attention policy.*block:SIZExCOUNT/s],
    [{ ...least, kv: ['block:16x4', 'block:16x4'] }, /kv names the same twice/],
    [{ ...least, lanes: 257 }, /lanes is 257; it must be a whole number at least 1 and at most 256/],
    [{ ...least, presets: ['exact'] }, /presets\[0\] is "exact"; it must be one of "measured"/],
    [{ ...least, presets: ['paper', 'paper'] }, /presets names the same twice/],
    [{ ...least, resamples: 10 }, /resamples is 10/],
  ])('refuses %j', (value, message) => {
    let error: unknown;
    try {
      checkExperiment(value);
    } catch (caught) {
      error = caught;
    }
    expect(isReckonError(error, 'bad-option')).toBe(true);
    expect((error as Error).message).toMatch(message);
  });

  it('says where JSON is none', () => {
    expect(() => parseExperiment('{"tasks": }')).toThrow(/^The experiment is not JSON: Unexpected token/);
  });
});
