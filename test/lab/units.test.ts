import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { checkExperiment } from '../../src/lab/experiment.ts';
import { derivedSeed, problemsOf, unitsOf } from '../../src/lab/units.ts';
import { laneSeed } from '../../src/strategies/index.ts';

const experiment = checkExperiment({
  tasks: [
    { task: 'countdown', difficulties: [3, 4] },
    { task: 'knights', difficulties: [2] },
  ],
  problems: 3,
  samples: 10,
  n: [1, 10],
  lanes: 4,
  thinking: [16, 64],
});

describe('units', () => {
  it('cover every problem, limit and sample once', () => {
    const units = unitsOf(experiment);
    expect(new Set(units.map((unit) => unit.id)).size).toBe(units.length);
    expect(units).toHaveLength(3 * 3 * 2 * 3);
    expect(units.slice(0, 3).map((unit) => unit.samples)).toEqual([4, 4, 2]);
    expect(units[0]!.id).toBe('countdown/3/0/think16/dense/0');
    const prompts = new Set(units.map((unit) => unit.problem.prompt));
    expect(prompts.size).toBe(9);
  });

  it('draw with seeds of their own, the same under every limit', () => {
    const units = unitsOf(experiment);
    const seedsAt = (thinking: number) =>
      units
        .filter((unit) => unit.thinking === thinking)
        .flatMap((unit) => Array.from({ length: unit.samples }, (_, lane) => laneSeed(unit.seed, lane)));
    expect(seedsAt(16)).toEqual(seedsAt(64));
    expect(new Set(seedsAt(16)).size).toBe(9 * 10);
  });

  it('stay what they are when problems, limits or tasks are added', () => {
    const more = unitsOf({
      ...experiment,
      problems: 5,
      thinking: [16, 32, 64],
      tasks: [{ task: 'knights', difficulties: [2, 3] }, ...experiment.tasks.slice(0, 1)],
    });
    const byId = new Map(more.map((unit) => [unit.id, unit]));
    for (const unit of unitsOf(experiment)) expect(byId.get(unit.id)).toEqual(unit);
  });

  it('have other problems under another seed', () => {
    const prompts = (seed: number) => problemsOf('countdown', 3, 5, seed).map((problem) => problem.prompt);
    expect(prompts(1)).toEqual(prompts(1));
    expect(prompts(1)).not.toEqual(prompts(2));
  });

  it('refuse more problems than a task has', () => {
    expect(() => problemsOf('knights', 2, 100_000, 1)).toThrow(
      /problems is 100000, but knights of difficulty 2 .* only \d+ /,
    );
  });

  it('derive seeds of 53 bits', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.string(), (seed, name) => {
        const derived = derivedSeed(seed, name);
        expect(Number.isSafeInteger(derived) && derived >= 0).toBe(true);
      }),
    );
    expect(Array.from({ length: 100 }, (_, i) => derivedSeed(i, 'x')).some((seed) => seed > 2 ** 52)).toBe(true);
  });
});
