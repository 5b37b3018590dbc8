import { describe, expect, it } from 'vitest';
import { encodeFamily, renderTurns } from '../../src/tasks/corpus/index.ts';
import { languageOf, offersFor, Random, systemTurn, tasks, tracedTaskById } from '../../src/tasks/index.ts';
import { stepsOf } from '../../src/tasks/traced.ts';

const CONTEXT = 2048;
const ANSWER = 64;

describe('what a model is offered', () => {
  it('goes by its name', () => {
    expect(['proto', 'reckon-125k', 'reckon-8m', 'Qwen/Qwen3-4B', 'my-reckon-1m'].map(languageOf)).toEqual([
      ...['proto', 'family', 'family', 'general', 'general'],
    ]);
    const offered = ['proto', 'reckon-1m'].flatMap(offersFor).map(({ task }) => task);
    expect(new Set(offered)).toEqual(new Set(tasks));
  });

  it('is a limit of thinking that searches told in full do not reach, and that leaves room in the context', () => {
    for (const { task: offered, thinking, taught } of offersFor('reckon-2m')) {
      const task = tracedTaskById(offered.id);
      expect(Object.keys(thinking).map(Number)).toEqual(task.difficulties);
      for (const difficulty of task.difficulties) {
        const limit = thinking[difficulty]!;
        let within = 0;
        let longest = 0;
        const count = 25;
        for (let seed = 0; seed < count; seed++) {
          const problem = task.generate(seed, difficulty);
          const trace = task.trace(problem, Random.fromSeed(seed, 'offers'))!;
          const tokens = encodeFamily(
            stepsOf(trace, 'full')
              .map(({ text }) => text)
              .join('\n'),
          ).length;
          within += Number(tokens <= limit);
          longest = Math.max(longest, tokens);
          const prompt = encodeFamily(renderTurns([{ role: 'user', content: problem.prompt }], true)).length;
          expect(prompt + limit + ANSWER, `${task.id}/${difficulty}`).toBeLessThanOrEqual(CONTEXT);
        }
        expect(within / count, `${task.id}/${difficulty}`).toBeGreaterThan(0.95);
        // No more than is of use, where the model was trained.
        if (taught?.includes(difficulty)) expect(limit, `${task.id}/${difficulty}`).toBeLessThan(4 * longest);
      }
    }
  });

  it('tells models that were never taught a task its rules and the form of its answer', () => {
    for (const { task } of offersFor('Qwen3-0.6B')) {
      expect(systemTurn('general', task.id)).toMatch(new RegExp(`^${task.description.slice(0, 20)}.*answer with`));
    }
    expect(systemTurn('general', null)).toBeUndefined();
    expect(systemTurn('family', 'kk', 'full')).toBe('Think in full.');
  });
});
