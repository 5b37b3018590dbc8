/** What every task with traces promises, whatever it is about. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corruptLast } from '../../src/tasks/corpus/corrupt.ts';
import { Random, tracedTasks } from '../../src/tasks/index.ts';
import { LENGTHS, LEVELS, SCORES, stepsOf, type TracedTask } from '../../src/tasks/traced.ts';

/** A task, one of its difficulties, and a seed. */
const posed = fc
  .constantFrom(...tracedTasks)
  .chain((task) => fc.tuple(fc.constant(task), fc.constantFrom(...task.difficulties), fc.nat(1e6)))
  .map(([task, difficulty, seed]) => ({ task, problem: task.generate(seed, difficulty), seed }));

const named = tracedTasks.map((task) => [task.id, task] as const);

function linesOf(task: TracedTask, seed: number) {
  const problem = task.generate(seed, task.difficulties[1]);
  const trace = task.trace(problem, Random.fromSeed(seed));
  return { problem, lines: (trace?.steps ?? []).map(({ text }) => text) };
}

/** How long searches go without luck, how often they try what is forbidden, and whether they stay with a branch. */
const manners = fc.record({
  endurance: fc.constantFrom(1, 1, 12),
  foolish: fc.constantFrom(0, 0, 40),
  restless: fc.boolean(),
});

describe('traces', () => {
  it('hold only valid steps at every length, and end in an answer that the verifier accepts', () => {
    fc.assert(
      fc.property(
        posed,
        fc.constantFrom('none', 'recheck'),
        manners,
        ({ task, problem, seed }, reconsidering, manner) => {
          const trace = task.trace(problem, Random.fromSeed(seed), reconsidering as 'none', manner);
          expect(trace).not.toBeNull();
          if (!trace) return;
          expect(task.verify(problem, trace.answer).correct).toBe(true);
          for (const length of LENGTHS) {
            const steps = stepsOf(trace, length);
            expect(steps.length).toBeGreaterThan(0);
            const checks = task.check(
              problem,
              steps.map(({ text }) => text),
            );
            expect(checks.filter(({ valid }) => !valid)).toEqual([]);
          }
          expect(LEVELS).toContain(task.level(problem));
        },
      ),
      { numRuns: 80 },
    );
  });

  it('that err hold one wrong step, marked so, see it behind "Wait,", and come to the right answer', () => {
    let seen = 0;
    fc.assert(
      fc.property(posed, manners, ({ task, problem, seed }, manner) => {
        const trace = task.trace(problem, Random.fromSeed(seed), 'late', manner);
        if (!trace) return;
        seen++;
        for (const length of LENGTHS) {
          const steps = stepsOf(trace, length);
          const checks = task.check(
            problem,
            steps.map(({ text }) => text),
          );
          const wrong = steps.flatMap((_, i) => (checks[i]?.valid ? [] : [i]));
          expect(wrong).toEqual(steps.flatMap(({ sound }, i) => (sound === false ? [i] : [])));
          expect(wrong).toHaveLength(1);
          const wait = steps.findIndex(({ text }) => text.startsWith('Wait, '));
          expect(wait).toBeGreaterThan(wrong[0] as number);
          expect(checks.slice(wait).some(({ reason }) => /finds the mistake/.test(reason))).toBe(true);
        }
        expect(task.verify(problem, trace.answer).correct).toBe(true);
      }),
      { numRuns: 80 },
    );
    expect(seen).toBeGreaterThan(20);
  });

  it.each(named)('of %s: a step that is changed anywhere is found, unless the change is right too', (_, task) => {
    const random = Random.fromSeed(5);
    let found = 0;
    for (let seed = 0; seed < 40; seed++) {
      const { problem, lines } = linesOf(task, seed);
      const upTo = lines.slice(0, 1 + random.below(lines.length));
      const corrupt = corruptLast(task, problem, upTo, random);
      if (!corrupt) continue;
      found++;
      expect(corrupt.line).not.toBe(upTo.at(-1));
      expect([SCORES.wrong, SCORES.unfounded]).toContain(corrupt.check.score);
      // What stands before it is still right.
      expect(task.check(problem, upTo).every(({ valid }) => valid)).toBe(true);
    }
    expect(found).toBeGreaterThan(30);
  });

  it.each(named)('of %s: are the same for the same seed, and others for another', (_, task) => {
    const problem = task.generate(3, task.difficulties.at(-1));
    const of = (seed: number) => JSON.stringify(task.trace(problem, Random.fromSeed(seed)));
    expect(of(1)).toBe(of(1));
  });

  it('are checked without throwing, whatever they hold', () => {
    const words = [
      'Alice',
      'knight:',
      'says',
      'ok',
      'but',
      'Wait,',
      'back',
      'left',
      'yes',
      '3',
      '+',
      '4=7',
      'reconsider',
    ];
    const line = fc.oneof(
      fc.string({ unit: 'grapheme-ascii' }),
      fc.array(fc.constantFrom(...words)).map((some) => some.join(' ')),
    );
    fc.assert(
      fc.property(posed, fc.array(line), ({ task, problem }, lines) => {
        const checks = task.check(problem, lines);
        expect(checks).toHaveLength(lines.length);
        for (const { score, valid } of checks) expect(valid).toBe(score >= SCORES.astray);
      }),
      { numRuns: 30 },
    );
  });
});
