/** f16 on a real implementation of it: Firefox over lavapipe. Node's software driver only has f16 as a way to store. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { GoldenCase, GoldenReport } from '../engine/cases/golden.ts';
import { type BrowserModule, openModule } from '../support/browser.ts';
import { PROTO } from '../support/model.ts';

let firefox: BrowserModule;
beforeAll(async () => {
  firefox = await openModule('firefox', new URL('./cases/half.ts', import.meta.url));
});
afterAll(() => firefox?.close());

describe('kernels in f16', () => {
  it('agree with float64', async () => {
    for (const name of await firefox.call<string[]>('checkNames')) await firefox.call('runCheck', name);
    expect(firefox.errors).toEqual([]);
  });
});

describe('the embedded model in f16', () => {
  const { cases } = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as {
    cases: GoldenCase[];
  };
  const files = Object.fromEntries(
    readdirSync(PROTO)
      .filter((name) => /\.(json|safetensors)$/.test(name))
      .map((name) => [name, readFileSync(join(PROTO, name)).toString('base64')]),
  );

  it('gives the golden logits within 2e-2, and nearly all of the golden words', async () => {
    const report = await firefox.call<GoldenReport>('golden', files, cases, 60);
    expect(report.f16).toBe(true);
    expect(report.errors).toHaveLength(2 * cases.length);
    for (const error of report.errors) expect(error).toBeLessThan(2e-2);
    // A word may differ where two are nearly equal; not in most lines.
    const whole = report.agreeing.filter(([agreeing, of]) => agreeing === of).length;
    expect(whole).toBeGreaterThanOrEqual(cases.length / 2);
    expect(firefox.errors).toEqual([]);
  });

  it.each([
    ['lose', 'device-lost'],
    ['refuse', 'gpu-validation'],
  ] as const)('ends in the typed error, with no wrong word, when asked to %s', async (harm, code) => {
    const few = cases.slice(0, 4);
    const ends = await firefox.call<{ code: string; tokens: number[] }[]>('harmed', files, few, harm, 9);
    for (const [i, end] of ends.entries()) {
      expect(end.code).toBe(code);
      expect(end.tokens.length).toBeGreaterThan(4);
      expect(end.tokens).toEqual(few[i]!.greedyIds.slice(0, end.tokens.length));
    }
  });
});
