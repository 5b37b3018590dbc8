/** The ledger beside the formulas, on a real run: two independent counts of the same work. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { LoadedModel } from '../../src/api/load-model.ts';
import { protoModel } from '../support/model.ts';

describe('the account of a run', () => {
  let model: LoadedModel;
  beforeAll(async () => {
    model = await protoModel();
  });
  afterAll(() => model.dispose());

  // No lane ends of itself: nothing runs ahead of a stop, and all work is of the formulas' kind.
  const usageOf = async (attention: string) => {
    const prompt = Array.from({ length: 40 }, (_, i) => ['Use', ' make', ' to'][i % 3]).join('');
    // The formulas have the whole prompt computed.
    model.engine.clearPrefixes();
    const run = model.reason({
      prompt,
      attention,
      strategy: { name: 'best-of-n', n: 4, select: 'logprob', earlyStop: false },
      sampling: { seed: 3, biases: new Map([0, 2, 4].map((token) => [token, Number.NEGATIVE_INFINITY])) },
      thinking: { maxTokens: 90 },
      answer: { maxTokens: 30 },
    });
    return (await run.result).usage;
  };
  const near = (a: number, b: number, within: number) => expect(Math.abs(a - b) / b).toBeLessThan(within);

  it('follows the policy: attention and search of sparse lanes', async () => {
    for (const policy of ['block:16x2', 'window:4+32', 'topk:48']) {
      const usage = await usageOf(policy);
      const { measuredClasses, modelledClasses } = usage.account!;
      near(modelledClasses.attention.flops, measuredClasses.attention.flops, 0.12);
      near(modelledClasses.linear.flops, measuredClasses.linear.flops, 0.05);
      expect(usage.ledger.denseAttention!.flops).toBeGreaterThan(measuredClasses.attention.flops);
      expect(modelledClasses.search.flops > 0).toBe(policy.startsWith('block'));
    }
  });

  it('agrees with the ledger where lanes run to their limits', async () => {
    const usage = await usageOf('dense');
    const { measured, modelled, measuredClasses, modelledClasses, paper, device } = usage.account!;
    expect(measured.flops).toBe(usage.ledger.flops);
    near(modelledClasses.linear.flops, measuredClasses.linear.flops, 0.05);
    near(modelledClasses.attention.flops, measuredClasses.attention.flops, 0.1);
    // The copies of the page that forked lanes share until they write are not in the formulas.
    near(modelledClasses.kvWrite.bytes, measuredClasses.kvWrite.bytes, 0.25);
    near(modelledClasses.linear.bytes, measuredClasses.linear.bytes, 0.35);
    expect(paper.measured).toBeCloseTo(measured.flops + 562.5 * measured.bytes, 0);
    expect(paper.modelled).toBeCloseTo(modelled.flops + 562.5 * modelled.bytes, 0);
    expect(device).toBeNull();
    // Lanes of one length cost the same, and together less than the whole, which has the prompt as well.
    const lanes = usage.account!.modelledLanes;
    expect(lanes).toHaveLength(4);
    expect(lanes.reduce((sum, { flops }) => sum + flops, 0)).toBeLessThan(modelled.flops);
    near(
      lanes.reduce((sum, { flops }) => sum + flops, 0),
      modelled.flops,
      0.15,
    );
  });
});
