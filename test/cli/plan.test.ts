import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { plan } from '../../src/cli/plan.ts';
import { reportOf } from '../../src/lab/export.ts';
import { madeResults } from '../lab/made.ts';
import { stdoutOf } from '../support/stdout.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'reckon-plan-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));
const LAPTOP = '--flops 4e12 --bandwidth 2e11 --dispatch 4e-6 --memory 12';

const output = (line: string) => stdoutOf(plan, line);

describe('reckon plan', () => {
  it('stays within the budget, names a runner-up and the reason', async () => {
    const advice = JSON.parse(await output(`--task aime24 --seconds 60 --weights int4 ${LAPTOP} --json`));
    expect(advice.best.spending.seconds).toBeLessThanOrEqual(60);
    expect(advice.runnerUp.accuracy).toBeLessThanOrEqual(advice.best.accuracy);
    expect(advice.bound).toBe('seconds');
    expect(advice.reason).toContain(advice.best.model);
    // More time never makes it worse; sparse attention, where it may be chosen, neither.
    const longer = JSON.parse(
      await output(`--task aime24 --seconds 600 --weights int4 --attention dense,block:16x64 ${LAPTOP} --json`),
    );
    expect(longer.best.accuracy).toBeGreaterThanOrEqual(advice.best.accuracy);
  });

  it('prefers what an experiment measured to what was stated before', async () => {
    const report = reportOf(madeResults());
    const path = join(folder, 'results.json');
    await writeFile(path, JSON.stringify({ ...report, setting: { ...report.setting, model: 'proto' } }));
    const text = await output(`--task knights --results ${path} --tokens 500 ${LAPTOP}`);
    expect(text).toContain('points of an experiment of 2 problems');
    expect(await output(`--task knights --tokens 500 ${LAPTOP}`)).toContain('README of the model');
  });

  it('says what is wrong, and what to do', async () => {
    await expect(output('')).rejects.toThrow('--task is missing');
    await expect(output(`--task chess ${LAPTOP}`)).rejects.toThrow(/Nothing is known of any model on "chess"/);
    await expect(output(`--task aime24 --models Qwen3-9B ${LAPTOP}`)).rejects.toThrow(/"Qwen3-9B" on aime24/);
    await expect(output('--task aime24 --flops 1e12')).rejects.toThrow('both --flops and --bandwidth');
    await expect(output(`--task aime24 --seconds 0.001 ${LAPTOP}`)).rejects.toThrow('No plan fits');
    await writeFile(join(folder, 'other.json'), '{}');
    await expect(output(`--task aime24 --results ${join(folder, 'other.json')} ${LAPTOP}`)).rejects.toThrow(
      /is no report/,
    );
  });
});
