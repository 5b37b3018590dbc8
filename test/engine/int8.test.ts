/** A cache of int8 codes with scales: what it loses is what its definition loses, and nothing depends on who reads it. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { relativeError } from '../reference/load.ts';
import { errorCode, openRig, type Rig, randomTokens, readAll, runAlone, TINY } from './rig.ts';

const config = { ...TINY, heads: 4, kvHeads: 2, headDim: 24 };
const int8 = { weights: 'f32', kv: 'int8' } as const;

/** A head as int8 keeps it: multiples of its largest magnitude / 127. */
function quantised(head: Float64Array): Float64Array {
  const scale = head.reduce((top, x) => Math.max(top, Math.abs(x)), 0) / 127;
  return head.map((x) => Math.round(x / scale) * scale);
}

function softmax(logits: Float64Array): number[] {
  const weights = Array.from(logits, (logit) => Math.exp(logit - Math.max(...logits)));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
}

describe('KV in int8', () => {
  let small: Rig;
  let ample: Rig;
  beforeAll(async () => {
    const open = (options: object) => openRig(config, { precisions: int8, ...options });
    // Twelve pages of 16 tokens: 24 codes and a scale for each of 2 heads, keys and values, 2 layers.
    small = await open({ kvBytes: 12 * (16 * (24 + 4) * 2 + 24 * 2) * 2 * 2, serialAttention: true });
    // 512 pages take 448 KiB of keys in a layer: two buffers.
    ample = await open({ serialAttention: false, bindingBytes: 2 ** 18 });
  });
  afterAll(() => {
    for (const rig of [small, ample]) rig?.dispose();
  });

  it('gives the probabilities of a float64 decoder whose cache rounds so', async () => {
    const all = Array.from({ length: config.vocabSize }, (_, token) => token);
    const prompt = randomTokens(140, 3);
    const [exact, plain] = await Promise.all([ample.reference(quantised), ample.reference()]);
    const [expected, unrounded] = [exact, plain].map((reference) => softmax(reference.logits(prompt).at(-1)!));
    for (const { engine } of [small, ample]) {
      const lane = engine.open();
      await lane.append(prompt);
      const probabilities = await lane.choose(all);
      // A number that f32 and f64 round to different codes is off by a whole step: more than kernels in f32 are.
      expect(relativeError(probabilities, expected!)).toBeLessThan(1e-3);
      expect(relativeError(probabilities, unrounded!)).toBeGreaterThan(2e-3);
      lane.dispose();
    }
  });

  it('draws the same by either attention, alone and preempted, from one buffer or several, of the bytes it says', async () => {
    const run = (rig: Rig) =>
      Promise.all(
        Array.from({ length: 5 }, (_, i) =>
          runAlone(rig.engine, randomTokens(12 + 9 * i, i), { seed: i, maxTokens: 50 + i }),
        ),
      );
    const buffersOf = ({ decoder }: Rig) => decoder.cache.map((layer) => layer.length);
    expect([buffersOf(small), buffersOf(ample)]).toEqual([
      [1, 1],
      [2, 2],
    ]);
    const expected = await run(ample);
    expect(small.engine.capacity).toMatchObject({
      totalPages: 12,
      bytesPerToken: (24 + 4) * 2 * 2 * 2 + (24 * 2 * 2 * 2) / 16,
    });
    expect(await run(small)).toEqual(expected);
    expect(await errorCode(() => runAlone(small.engine, randomTokens(193, 1), {}))).toBe('over-capacity');
  });

  it('copies the open page of forks with its scales', async () => {
    const prompt = randomTokens(41, 5);
    const root = ample.engine.open();
    await root.append(prompt);
    const forks = root.fork(3);
    const runs = await Promise.all(forks.map((fork, i) => readAll(fork.generate({ seed: i, maxTokens: 12 }))));
    for (const [i, run] of runs.entries()) {
      expect(run).toEqual(await runAlone(small.engine, prompt, { seed: i, maxTokens: 12 }));
    }
    for (const lane of [root, ...forks]) lane.dispose();
  });
});
