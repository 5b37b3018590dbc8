import { describe, expect, it } from 'vitest';
import { problemFromText, taskById, tasks, tracedTaskById, tracedTasks } from '../../src/tasks/index.ts';

describe('tasks', () => {
  it('finds every task by its id and lists them for an unknown one', () => {
    for (const task of tasks) expect(taskById(task.id)).toBe(task);
    for (const task of tracedTasks) expect(tracedTaskById(task.id)).toBe(task);
    expect(taskById('knights-and-knaves').id).toBe('kk');
    expect(() => taskById('chess')).toThrow(
      /no task "chess"\. Known tasks: countdown, knights, kk, arithmetic, recall/,
    );
    expect(() => tracedTaskById('knights')).toThrow(/no task "knights"/);
  });

  it('tells which task a typed puzzle is of', () => {
    expect(problemFromText('3 5 7 -> 22').task).toBe('countdown');
    expect(problemFromText('A says B is a knave. B says A and B are different.').task).toBe('knights');
    expect(problemFromText('Bob says Alice is a knave. Alice says Bob is a knave and Alice is a knave.').task).toBe(
      'kk',
    );
  });

  it.each([
    ['3 5 7 -> 1000', /The target is 1000/],
    ['3 5 7', /no target/],
    ['A says B is a rabbit.', /expected "knight" or "knave"/],
    ['A thinks B is a knave.', /expected "says"/],
    ['What is the capital of France?', /not a puzzle of any known task\. Write, for example/],
    ['', /not a puzzle/],
  ])('gives the complaint nearest to %j', (text, message) => {
    expect(() => problemFromText(text)).toThrow(message);
  });

  it('keeps problems plain data', () => {
    for (const task of tasks) {
      const problem = task.generate(1);
      expect(JSON.parse(JSON.stringify(problem))).toEqual(problem);
      expect(structuredClone(problem)).toEqual(problem);
    }
  });
});
