/** Decoders of many shapes against the float64 reference: probabilities, scores and greedy continuations. */
import { describe, expect, it } from 'vitest';
import type { ModelConfig } from '../../src/checkpoint/index.ts';
import { relativeError } from '../reference/load.ts';
import { openRig, type RigOptions, randomTokens, readAll, TINY } from './rig.ts';

interface Case {
  config: Partial<ModelConfig>;
  options?: RigOptions;
  /** Lengths of prompts. */
  lengths: readonly number[];
}

/** Head counts, GQA ratios, head sizes, odd widths; every page and split boundary in one case or another. */
const CASES: Record<string, Case> = {
  'one head of 16': { config: { heads: 1, kvHeads: 1, headDim: 16 }, lengths: [1, 2, 15, 16, 17] },
  '4 heads on 2, of 64': {
    config: { heads: 4, kvHeads: 2, headDim: 64, hiddenSize: 52 },
    options: { prefillRows: 7, serialAttention: false },
    lengths: [127, 128, 129],
  },
  '6 heads on 3, of 56, prompts row by row': {
    config: { heads: 6, kvHeads: 3, headDim: 56, intermediateSize: 20 },
    options: { prefillRows: 1 },
    lengths: [3, 33],
  },
  '8 heads on 2, of 128': {
    config: { heads: 8, kvHeads: 2, headDim: 128, hiddenSize: 64, vocabSize: 300, tiedEmbeddings: false },
    options: { prefillRows: 50 },
    lengths: [63, 257],
  },
  '7 heads on 1, of 40, three layers, a large theta': {
    config: { heads: 7, kvHeads: 1, headDim: 40, layers: 3, ropeTheta: 1e6, normEps: 1e-5, vocabSize: 33 },
    lengths: [48, 300],
  },
};

const softmax = (logits: Float64Array) => {
  const max = Math.max(...logits);
  const weights = logits.map((x) => Math.exp(x - max));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((w) => w / sum);
};

describe('random weights', () => {
  it.each(Object.keys(CASES))('%s', async (name) => {
    const { config: part, options = {}, lengths } = CASES[name]!;
    const config: ModelConfig = { ...TINY, rotaryDim: part.headDim ?? TINY.rotaryDim, ...part };
    const rig = await openRig(config, { seed: name.length, ...options });
    const reference = await rig.reference();
    const all = Array.from({ length: config.vocabSize }, (_, token) => token);
    await Promise.all(
      lengths.map(async (length) => {
        const prompt = randomTokens(length, length, config.vocabSize);
        const session = reference.session();
        let logits: Float64Array = new Float64Array(0);
        for (const token of prompt) logits = session.push(token);
        const lane = rig.engine.open();
        await lane.append(prompt);

        const chosen: number[] = [];
        for (let at = 0; at < all.length; at += rig.engine.maxDraws) {
          chosen.push(...(await lane.choose(all.slice(at, at + rig.engine.maxDraws))));
        }
        expect(relativeError(chosen, softmax(logits))).toBeLessThan(1e-4);

        const continuation = randomTokens(9, length + 1, config.vocabSize);
        const scores = await lane.score(continuation);
        const along = session.clone();
        let now = logits;
        for (const [i, token] of continuation.entries()) {
          expect(scores[i]).toBeCloseTo(Math.log(softmax(now)[token]!), 4);
          now = along.push(token);
        }

        const run = await readAll(lane.generate({ temperature: 0, maxTokens: 12 }));
        for (const [i, token] of run.tokens.entries()) {
          const [best, second] = logits.toSorted((a, b) => b - a);
          // Where two tokens are as good as equal, either is right; beyond that the lines part.
          if (best! - second! > 1e-4) expect(token).toBe(logits.indexOf(best!));
          expect(logits[token]).toBeGreaterThan(best! - 1e-3);
          expect(run.logprobs[i]).toBeCloseTo(Math.log(softmax(logits)[token]!), 4);
          logits = session.push(token);
        }
        lane.dispose();
      }),
    );
    rig.dispose();
  });
});
