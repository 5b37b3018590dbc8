import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lab } from '../../src/cli/lab.ts';
import { parseExperiment } from '../../src/lab/experiment.ts';
import { reportOf } from '../../src/lab/index.ts';
import { unitsOf } from '../../src/lab/units.ts';
import { stdoutOf } from '../support/stdout.ts';
import { madeResults } from './made.ts';

const FIRST = fileURLToPath(new URL('../../bench/experiments/first.json', import.meta.url));
let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'reckon-lab-cli-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Everything here is refused before a GPU is opened. */
describe('reckon lab', () => {
  it.each([
    [['sweep'], /no lab command "sweep"\. Use: lab run/],
    [['run'], /There is no experiment/],
    [['run', FIRST], /There is no --out/],
    [['run', FIRST, '--out', 'x', '--lanes', '4'], /--lanes/],
    [['run', FIRST, FIRST, '--out', 'x'], /more than one experiment/],
    [['run', FIRST, '--out', 'x', '--model', 'a/one,b/one/'], /two models alike/],
    [['run', FIRST, '--out', 'x', '--model', 'one,two', '--kv', 'f16,int8'], /several models and several precisions/],
    [['compare', 'nowhere', '--out', 'x'], /nowhere.results\.json cannot be read/],
    [['compare', 'nowhere'], /There is no --out/],
    [['run', 'missing.json', '--out', 'x'], /missing\.json cannot be read: ENOENT/],
    [['run', FIRST, '--out', 'OUT', '--max-lanes', '0'], /--max-lanes is 0/],
    [['run', FIRST, '--out', 'OUT', '--kv', 'f16,int4'], /--kv is "int4"; it must be one of f32, f16, int8/],
    [['run', FIRST, '--out', 'OUT', '--kv', 'f16,f16'], /--kv is "f16,f16", which names the same twice/],
    [['run', FIRST, '--out', 'OUT', '--precision', 'int4'], /--precision is "int4"; it must be one of f16, f32/],
  ])('refuses %j', async (args, message) => {
    const placed = args.map((arg) => (arg === 'OUT' ? join(folder, 'out') : arg));
    await expect(lab(placed)).rejects.toMatchObject({ code: 'bad-option', message: expect.stringMatching(message) });
  });

  it('refuses an experiment that makes no sense, by field', async () => {
    const path = join(folder, 'bad.json');
    writeFileSync(path, '{"tasks":[{"task":"countdown"}],"problems":0,"thinking":[8]}');
    await expect(lab(['run', path, '--out', folder])).rejects.toThrow(/^problems is 0; it must be a whole number/);
  });

  it("refuses a folder whose samples are not the lab's, touches nothing, and leaves no lock", async () => {
    const path = join(folder, 'samples.jsonl');
    writeFileSync(path, 'precious\nnotes');
    await expect(lab(['run', FIRST, '--out', folder])).rejects.toThrow(/Line 1 of .*samples\.jsonl is not JSON/);
    expect(readFileSync(path, 'utf8')).toBe('precious\nnotes');
    expect(existsSync(`${path}.lock`)).toBe(false);
  });

  it('puts the results of several models into one plot', async () => {
    const folders = ['small', 'large'].map((model) => {
      const own = join(folder, model);
      const report = reportOf(madeResults());
      mkdirSync(own);
      writeFileSync(join(own, 'results.json'), JSON.stringify({ ...report, setting: { ...report.setting, model } }));
      return own;
    });
    const out = join(folder, 'both');
    expect(await stdoutOf(lab, `compare ${folders.join(' ')} --out ${out}`)).toContain(
      'compare-all-measured-paper.svg',
    );
    expect(readFileSync(join(out, 'compare-all-measured-paper.svg'), 'utf8')).toMatch(/>small<.*>large</s);
  });

  it.each([
    ['first', 48],
    ['sparse', 1950],
    ['kv-precision', 300],
    ['family', 625],
  ])('comes with an experiment that it takes: %s', (name, count) => {
    const path = fileURLToPath(new URL(`../../bench/experiments/${name}.json`, import.meta.url));
    expect(unitsOf(parseExperiment(readFileSync(path, 'utf8')))).toHaveLength(count);
  });
});
