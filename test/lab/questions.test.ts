import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type LoadedModel, loadModel } from '../../src/api/load-model.ts';
import { askQuestions, rankedAbove } from '../../src/lab/questions.ts';
import { tracedTaskById } from '../../src/tasks/index.ts';
import { testGpu } from '../support/gpu.ts';

let model: LoadedModel;
beforeAll(async () => {
  const folder = fileURLToPath(new URL('../../models/proto', import.meta.url));
  model = await loadModel(folder, { gpu: await testGpu(), maxLanes: 4, backend: 'reckon' });
}, 120_000);
afterAll(() => model?.dispose());

describe('questions', () => {
  it('rank pairs as Mann and Whitney do', () => {
    expect(rankedAbove([3, 4], [1, 2])).toBe(1);
    expect(rankedAbove([1, 2], [3, 4])).toBe(0);
    expect(rankedAbove([2], [1, 2, 3, 2])).toBe((1 + 0.5 + 0 + 0.5) / 4);
  });

  // proto was never taught to answer them: what counts here is that all are asked, and that the figures are of their kind.
  it('are asked of an engine, each once, and leave no lane behind', async () => {
    const task = tracedTaskById('countdown');
    const open = vi.spyOn(model.engine, 'open');
    const done: number[] = [];
    const options = { problems: 6, onDone: (count: number) => done.push(count) };
    const grade = await askQuestions(model.engine, 'grade', task, 3, options);
    expect(done).toEqual([1, 2, 3, 4, 5, 6]);
    if (grade.question !== 'grade') throw new Error(grade.question);
    expect(grade.asked).toBe(6);
    expect(grade.wrong).toBeGreaterThan(0);
    expect(grade.wrong).toBeLessThan(6);
    expect(grade.scores.right).toBeGreaterThanOrEqual(0);
    expect(grade.scores.right).toBeLessThanOrEqual(9);
    expect(grade.rankedByLikelihood).toBeGreaterThanOrEqual(0);
    expect(grade.rankedByLikelihood).toBeLessThanOrEqual(1);
    expect(grade.answers).toBeGreaterThan(0);
    expect(grade.answers).toBeLessThanOrEqual(1 + 1e-5);
    const level = await askQuestions(model.engine, 'level', task, 3, { problems: 3 });
    expect(level).toMatchObject({ question: 'level', asked: 3, told: { count: 3 } });
    const wait = await askQuestions(model.engine, 'wait', task, 3, { problems: 2 });
    expect(wait).toMatchObject({ question: 'wait', told: { count: wait.asked } });
    expect(open).toHaveBeenCalledTimes(6 + 3 + wait.asked);
    for (const { value: lane } of open.mock.results) {
      await expect(lane.append([1])).rejects.toMatchObject({ code: 'lane-disposed' });
    }
  }, 120_000);
});
