/** The kernels that real GPUs get (tiled matmul, sliced K, split decode, tiled prefill), as one engine. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openRig, type Rig, randomTokens, readAll, TINY } from './rig.ts';

describe('kernels chosen for a GPU', () => {
  let gpu: Rig;
  let cpu: Rig;
  beforeAll(async () => {
    const sizes = { maxLanes: 40, prefillRows: 48, maxBiases: 16 };
    [gpu, cpu] = await Promise.all([
      openRig(TINY, { ...sizes, open: { tuning: 'gpu' } }),
      openRig(TINY, { ...sizes, open: { tuning: 'cpu' } }),
    ]);
  });
  afterAll(() => {
    gpu?.dispose();
    cpu?.dispose();
  });

  it('score a long prompt as the reference does, and as the others do', async () => {
    const tokens = randomTokens(170, 5);
    const scores = await Promise.all(
      [gpu, cpu].map(async ({ engine }) => {
        const lane = engine.open();
        await lane.append(tokens.slice(0, 100));
        const result = await lane.score(tokens.slice(100));
        lane.dispose();
        return result;
      }),
    );
    const reference = (await gpu.reference()).logits(tokens);
    for (let i = 0; i < 70; i++) {
      const logits = reference[99 + i]!;
      const top = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
      const expected = logits[tokens[100 + i]!]! - top - Math.log(total);
      for (const score of scores) expect(score[i]!).toBeCloseTo(expected, 4);
    }
  });

  it('draw the same alone, among 40 lanes (tiled matmul), and with prompts fed between', async () => {
    const { engine } = gpu;
    const prompt = randomTokens(20, 7);
    const run = async (seed: number) => {
      const lane = engine.open();
      await lane.append(prompt);
      const { tokens } = await readAll(lane.generate({ seed, maxTokens: 24 }));
      lane.dispose();
      return tokens;
    };
    const alone = [await run(1), await run(2)];
    const many = await Promise.all(Array.from({ length: 40 }, (_, i) => run(i + 1)));
    expect(many.slice(0, 2)).toEqual(alone);
    const [first] = await Promise.all([
      run(1),
      ...[3, 4, 5].map(async (seed) => {
        const lane = engine.open();
        await lane.append(randomTokens(90, seed));
        lane.dispose();
      }),
    ]);
    expect(first).toEqual(alone[0]);
  });
});
