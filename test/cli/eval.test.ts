import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { evaluate, evaluationOf } from '../../src/cli/eval.ts';
import type { StoredResults, UnitRecord } from '../../src/lab/index.ts';
import { isHeldOut } from '../../src/tasks/corpus/index.ts';
import { tracedTaskById } from '../../src/tasks/index.ts';
import { madeResults } from '../lab/made.ts';

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reckon-eval-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Runs the command here, and returns what it printed. */
async function printed(args: string[]): Promise<string> {
  let text = '';
  const write = vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += chunk;
    return true;
  });
  try {
    await evaluate(args);
  } finally {
    write.mockRestore();
  }
  return text;
}

describe('reckon eval', () => {
  const model = ['--model', 'proto'];
  it.each([
    [[], /There is no --model/],
    [model, /There is no --task/],
    [[...model, '--task', 'chess'], /no task "chess"/],
    [[...model, '--task', 'kk', '--difficulty', '9'], /names 9, which kk does not have/],
    [[...model, '--task', 'kk', '--greedy', '--n', '8'], /greedy chains of one problem are all the same/],
    [[...model, '--task', 'kk', '--attention', 'psychic'], /^"psychic" is no attention policy/],
    [[...model, '--task', 'kk', '--length', 'tall'], /--length is "tall"; it must be one of auto, full, pruned/],
  ])('refuses %j before a GPU is opened', async (args, message) => {
    await expect(evaluate(args)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });
  });

  it('draws chains on held-out problems, keeps them, and goes on where it was stopped', async () => {
    const out = join(folder, 'chains.jsonl');
    const args = [...model, '--task', 'countdown', '--problems', '2', '--n', '2', '--max-thinking', '12'];
    const first = JSON.parse(await printed([...args, '--out', out, '--json']));
    expect(first).toMatchObject({ model: 'proto', task: 'countdown', difficulty: 3, problems: 2, n: 2, resumed: 0 });
    expect(first.pass8).toBeNull();
    expect(first.tokens).toBeGreaterThan(12);
    expect(first.seconds).toBeGreaterThan(0);
    expect(first.device.driver).toBeTruthy();
    const [, ...units] = readFileSync(out, 'utf8').trim().split('\n');
    expect(units).toHaveLength(2);
    const task = tracedTaskById('countdown');
    let right = 0;
    for (const line of units) {
      const unit = JSON.parse(line) as UnitRecord;
      const problem = task.parse(unit.prompt.text);
      expect(isHeldOut(task, problem)).toBe(true);
      for (const { answer, correct } of unit.samples) {
        expect(correct).toBe(task.verify(problem, answer).correct);
        right += Number(correct);
      }
    }
    expect(first.pass1).toBe(right / 4);
    const again = JSON.parse(await printed([...args, '--out', out, '--json']));
    expect(again).toMatchObject({ resumed: 2, pass1: first.pass1, tokens: first.tokens });
  });

  it('counts as the unbiased estimator does', () => {
    const made = madeResults();
    const { experiment } = made.header;
    const results: StoredResults = {
      header: {
        ...made.header,
        experiment: {
          ...experiment,
          tasks: experiment.tasks.slice(0, 1),
          thinking: experiment.thinking.slice(0, 1),
        },
      },
      units: made.units.filter((unit) => unit.task === 'countdown' && unit.thinking === experiment.thinking[0]),
    };
    const device = { name: 'made up', driver: 'none', software: true };
    const report = evaluationOf(results, { device, seconds: 1, resumed: 0 });
    // Of four samples each, none and two are right: pass@2 of the latter is 1 − 1/6.
    expect(report.pass1).toBeCloseTo((0 + 2 / 4) / 2, 12);
    expect(report.pass[2]?.mean).toBeCloseTo((0 + 5 / 6) / 2, 12);
    expect(report.interval.pass1?.low).toBeLessThanOrEqual(report.pass1);
    expect(report.interval.pass1?.high).toBeGreaterThanOrEqual(report.pass1);
    expect(report.interval.pass8).toBeNull();
    expect(report.tokens).toBeGreaterThan(0);
  });
});
