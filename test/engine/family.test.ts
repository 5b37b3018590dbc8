/** Every embedded model in the runtime against PyTorch: logits, and the beginning of greedy continuations. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { directorySource } from '../../src/checkpoint/node.ts';
import { openGpu } from '../../src/gpu/index.ts';
import { testGpu } from '../support/gpu.ts';
import { type GoldenCase, runGolden } from './cases/golden.ts';

const models = fileURLToPath(new URL('../../models/', import.meta.url));
const golden = fileURLToPath(new URL('../golden/', import.meta.url));
const family = readdirSync(models).filter((name) => name.startsWith('reckon-'));

function casesOf(model: string): GoldenCase[] {
  const { cases } = JSON.parse(readFileSync(`${golden}${model}.json`, 'utf8')) as { cases: GoldenCase[] };
  return cases.filter(({ lastLogits }) => lastLogits !== undefined).slice(0, 6);
}

describe('the embedded family', () => {
  it('is there, each model with its golden run', () => {
    expect(family.length).toBeGreaterThanOrEqual(4);
    for (const model of family) expect(existsSync(`${golden}${model}.json`), model).toBe(true);
  });

  it.each(family)('%s gives the golden logits, and goes on with the golden words', async (model) => {
    const gpu = await openGpu({ gpu: await testGpu() });
    const cases = casesOf(model);
    expect(cases.length).toBeGreaterThanOrEqual(4);
    const report = await runGolden(gpu, directorySource(`${models}${model}`), { weights: 'f32', kv: 'f32' }, cases, {
      longest: 24,
    });
    expect(report.errors).toHaveLength(2 * cases.length);
    for (const error of report.errors) expect(error).toBeLessThan(1e-4);
    // Two nearly equal logits may change places; that they do in most texts would be an error.
    const whole = report.agreeing.filter(([alike, of]) => alike === of).length;
    expect(whole).toBeGreaterThanOrEqual(cases.length - 1);
  });
});
