/** Lanes forked from one prompt read it together: the same tokens, and the ledger shows it read once. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepRecord } from '../../src/engine/stepper.ts';
import { disposeAll, openRig, type Rig, randomTokens, readAll, TINY } from './rig.ts';

const config = { ...TINY, layers: 2, heads: 4, kvHeads: 2 };
const { layers, heads, kvHeads, headDim } = config;

describe('a prompt that lanes share', () => {
  let rig: Rig;
  let steps: StepRecord[] = [];
  beforeAll(async () => {
    rig = await openRig(config, { serialAttention: false, maxLanes: 12 });
    rig.engine.onStep((record) => steps.push(record));
  });
  afterAll(() => rig?.dispose());

  /** Bytes of attention of `work`, by either way of reading, and what it returned. */
  async function both<T>(work: () => Promise<T>): Promise<{ together: number; alone: number; results: [T, T] }> {
    const { engine } = rig;
    const run = async (share: boolean) => {
      engine.sharePrompt = share;
      engine.clearPrefixes();
      steps = [];
      const before = engine.ledger.snapshot().classes.attention;
      const result = await work();
      const { flops, bytes } = engine.ledger.snapshot().classes.attention;
      return { result, bytes: bytes - before.bytes, flops: flops - before.flops };
    };
    const alone = await run(false);
    const together = await run(true);
    expect(together.flops).toBe(alone.flops);
    return { together: together.bytes, alone: alone.bytes, results: [alone.result, together.result] };
  }

  it('is read once in each step, for the same tokens', async () => {
    const { together, alone, results } = await both(async () => {
      const root = rig.engine.open();
      // Two splits of 128 tokens and some more.
      await root.append(randomTokens(256 + 21, 1));
      const forks = root.fork(8);
      root.dispose();
      const runs = await Promise.all(forks.map((fork, i) => readAll(fork.generate({ seed: i, maxTokens: 9 + i }))));
      disposeAll(forks);
      return runs;
    });
    expect(results[1]).toEqual(results[0]);
    // Of each step with several rows, all but one of them read 256 tokens less; their queries are read once more.
    const kvToken = 2 * kvHeads * headDim * 4;
    const saved = steps
      .filter(({ decodeRows }) => decodeRows > 1)
      .reduce((sum, { decodeRows: n }) => sum + layers * ((n - 1) * 256 * kvToken - n * heads * headDim * 4), 0);
    expect(steps.some(({ decodeRows }) => decodeRows === 8)).toBe(true);
    expect(alone - together).toBe(saved);
    // Seven of eight readings of most of the context: what is left is mostly each lane's own.
    expect(together).toBeLessThan(alone / 2);
  });

  it.each<{ name: string; dense: readonly (readonly number[])[]; strangers: number }>([
    { name: 'in the layers where all lanes are dense', dense: [[0]], strangers: 0 },
    {
      name: 'by lanes that are dense throughout, where others are in some layers',
      dense: [[0], [1], []],
      strangers: 2,
    },
  ])('is read once under sparse policies $name', async ({ dense, strangers }) => {
    const { together, alone, results } = await both(async () => {
      const root = rig.engine.open();
      await root.append(randomTokens(256 + 5, 4));
      const lanes = root.fork(4 + strangers);
      root.dispose();
      for (const [i, lane] of lanes.slice(0, 4).entries()) {
        lane.attention = { kind: 'blockTopK', budget: 32, denseLayers: dense[i % dense.length]! };
      }
      const runs = await Promise.all(lanes.map((lane, i) => readAll(lane.generate({ seed: i, maxTokens: 6 }))));
      disposeAll(lanes);
      return runs;
    });
    expect(results[1]).toEqual(results[0]);
    // What n rows save in a layer and step. Sparse lanes do in one of two layers, the two others in both.
    const saved = (n: number) => (n - 1) * 256 * 2 * kvHeads * headDim * 4 - n * heads * headDim * 4;
    const rows = steps.map(({ decodeRows }) => decodeRows).filter((n) => n > 1);
    if (strangers === 0) expect(alone - together).toBe(rows.reduce((sum, n) => sum + saved(n), 0));
    else {
      const times = (alone - together) / (layers * saved(strangers));
      expect(Number.isInteger(times)).toBe(true);
      // The two may not be in the first step, or the last, together.
      expect(times).toBeGreaterThanOrEqual(rows.length - 2);
    }
    expect(rows.length).toBeGreaterThan(4);
  });

  it('may be shared by some, and more by some of these', async () => {
    const { together, alone, results } = await both(async () => {
      const root = rig.engine.open();
      await root.append(randomTokens(150, 2));
      const forks = root.fork(3);
      await Promise.all(forks.map((fork, i) => fork.append(randomTokens(120, i))));
      const stranger = rig.engine.open();
      await stranger.append(randomTokens(280, 9));
      const lanes = [root, stranger, ...forks, ...forks.flatMap((fork) => fork.fork(2))];
      forks[1]!.truncate(100);
      const runs = await Promise.all(lanes.map((lane, i) => readAll(lane.generate({ seed: i, maxTokens: 12 }))));
      disposeAll(lanes);
      return runs;
    });
    expect(results[1]).toEqual(results[0]);
    expect(together).toBeLessThan(alone);
  });

  it('is found in the prefix cache as well', async () => {
    const { together, alone, results } = await both(async () => {
      const lanes = [];
      for (let i = 0; i < 4; i++) {
        const lane = rig.engine.open();
        await lane.append(randomTokens(200, 3));
        lanes.push(lane);
      }
      const runs = await Promise.all(lanes.map((lane, i) => readAll(lane.generate({ seed: i, maxTokens: 12 }))));
      disposeAll(lanes);
      return runs;
    });
    expect(results[1]).toEqual(results[0]);
    expect(together).toBeLessThan(alone);
  });
});
