/** The engine against an independent PyTorch implementation: logits and greedy continuations of the trained checkpoint. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../src/api/load-model.ts';
import { directorySource } from '../../src/checkpoint/node.ts';
import type { Lane } from '../../src/engine/types.ts';
import { openGpu } from '../../src/gpu/index.ts';
import { testGpu } from '../support/gpu.ts';
import { PROTO, protoModel } from '../support/model.ts';
import { type GoldenReport, runGolden } from './cases/golden.ts';

interface Case {
  question: string;
  promptIds: number[];
  lastLogits: number[];
  logitsAtPosition10: number[];
  greedyIds: number[];
  greedyText: string;
}
const { cases } = JSON.parse(readFileSync(new URL('../golden/proto.json', import.meta.url), 'utf8')) as {
  cases: Case[];
};

async function greedy(lane: Lane, maxTokens: number): Promise<{ ids: number[]; text: string }> {
  const ids: number[] = [];
  let text = '';
  for await (const event of lane.generate({ temperature: 0, maxTokens })) {
    ids.push(event.token);
    text += event.text;
  }
  return { ids, text };
}

/** Log-probabilities of the whole vocabulary after `prompt`, and the same of golden logits. */
async function logSoftmaxError(model: LoadedModel, prompt: number[], golden: number[]): Promise<number> {
  const lane = model.engine.open();
  await lane.append(prompt);
  const probabilities = await lane.choose(golden.map((_, token) => token));
  lane.dispose();
  const max = Math.max(...golden);
  const total = golden.reduce((sum, logit) => sum + Math.exp(logit - max), 0);
  let difference = 0;
  let norm = 0;
  for (const [token, logit] of golden.entries()) {
    const expected = Math.exp(logit - max) / total;
    difference += (probabilities[token]! - expected) ** 2;
    norm += expected ** 2;
  }
  return Math.sqrt(difference / norm);
}

describe('the trained checkpoint in f32', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await protoModel();
  });
  afterAll(() => model.dispose());

  it('gives the golden probabilities after every prompt', async () => {
    for (const { promptIds, lastLogits, logitsAtPosition10 } of cases) {
      expect(await logSoftmaxError(model, promptIds, lastLogits)).toBeLessThan(1e-4);
      expect(await logSoftmaxError(model, promptIds.slice(0, 11), logitsAtPosition10)).toBeLessThan(1e-4);
    }
  });

  it('continues all prompts greedily as the golden run did, as one batch', async () => {
    const results = await Promise.all(
      cases.map(async ({ promptIds, greedyIds }) => {
        const lane = model.engine.open();
        await lane.append(promptIds);
        const result = await greedy(lane, greedyIds.length);
        lane.dispose();
        return result;
      }),
    );
    for (const [i, { ids }] of results.entries()) expect(ids).toEqual(cases[i]!.greedyIds);
  });
});

describe.each([
  { weights: 'f32', kv: 'f32', bound: 1e-4 },
  { weights: 'f16', kv: 'f32', bound: 1e-4 },
  { weights: 'f32', kv: 'f16', bound: 2e-2 },
  { weights: 'f16', kv: 'f16', bound: 2e-2 },
  { weights: 'f16', kv: 'int8', bound: 2e-2 },
] as const)('its logits with weights in $weights and KV in $kv', ({ bound, ...precisions }) => {
  let report: GoldenReport;
  beforeAll(async () => {
    const gpu = await openGpu({ gpu: await testGpu() });
    report = await runGolden(gpu, directorySource(PROTO), precisions, cases, { longest: 20 });
  });

  it(`are within ${bound} of the golden ones`, () => {
    expect(report.errors).toHaveLength(2 * cases.length);
    for (const error of report.errors) expect(error).toBeLessThan(bound);
  });

  it('continue as the golden run did, but for words that are nearly equal', () => {
    const whole = report.agreeing.filter(([agreeing, of]) => agreeing === of).length;
    // The checkpoint is stored in f16: weights lose nothing there.
    if (precisions.kv === 'f32') expect(whole).toBe(cases.length);
    else expect(whole).toBeGreaterThanOrEqual(cases.length / 2);
  });
});
