/** Too little memory, too few places: everything still ends, with the same tokens, or with a typed error of its own. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { disposeAll, errorCode, openRig, type Rig, randomTokens, readAll, runAlone, TINY } from './rig.ts';

/** KV and summary of one page of TINY in f32. */
const PAGE_BYTES = (16 * 2 + 1) * TINY.layers * TINY.kvHeads * TINY.headDim * 4;

const allFree = ({ engine }: Rig) => {
  engine.clearPrefixes();
  return engine.capacity.freePages === engine.capacity.totalPages;
};

describe('a KV cache of ten pages', () => {
  let ample: Rig;
  let rig: Rig;
  beforeAll(async () => {
    ample = await openRig(TINY);
    rig = await openRig(TINY, { kvBytes: 10 * PAGE_BYTES });
  });
  afterAll(() => {
    ample.dispose();
    rig.dispose();
  });

  it('runs more lanes than fit to their ends, with the tokens of an ample one', async () => {
    const run = (rig: Rig) =>
      Promise.all(
        Array.from({ length: 6 }, (_, i) =>
          runAlone(rig.engine, randomTokens(10 + 7 * i, i), { seed: i, maxTokens: 60 + i }),
        ),
      );
    const expected = await run(ample);
    expect(rig.engine.capacity.totalPages).toBe(10);
    expect(await run(rig)).toEqual(expected);
    expect(allFree(rig)).toBe(true);
  });

  it('drops the KV of idle lanes, which go on as if nothing had been', async () => {
    const run = async (rig: Rig) => {
      const lanes = [0, 1, 2].map(() => rig.engine.open());
      const runs = [];
      for (let round = 0; round < 3; round++) {
        for (const [i, lane] of lanes.entries()) {
          await lane.append(randomTokens(15, 10 * round + i));
          runs.push(await readAll(lane.generate({ seed: i, maxTokens: 17 })));
          runs.push(await lane.score(randomTokens(4, i)));
        }
      }
      disposeAll(lanes);
      return runs;
    };
    const expected = await run(ample);
    expect(await run(rig)).toEqual(expected);
    expect(allFree(rig)).toBe(true);
  });

  it('runs forks of one prompt to their ends though their own pages do not fit', async () => {
    const run = async (rig: Rig) => {
      const root = rig.engine.open();
      await root.append(randomTokens(40, 3));
      const forks = root.fork(7);
      const runs = await Promise.all(forks.map((fork, i) => readAll(fork.generate({ seed: i, maxTokens: 50 }))));
      disposeAll([root, ...forks]);
      return runs;
    };
    const expected = await run(ample);
    expect(await run(rig)).toEqual(expected);
    expect(allFree(rig)).toBe(true);
  });

  it('prompts that fill it one by one wait for each other', async () => {
    const run = (rig: Rig) =>
      Promise.all(
        Array.from({ length: 4 }, (_, i) => runAlone(rig.engine, randomTokens(120, i), { seed: i, maxTokens: 20 })),
      );
    const expected = await run(ample);
    expect(await run(rig)).toEqual(expected);
    expect(allFree(rig)).toBe(true);
  });

  it('ends a lane at what the cache holds, and refuses a prompt beyond it', async () => {
    const { engine } = rig;
    expect(engine.capacity.maxContext).toBe(160);
    const run = await runAlone(engine, randomTokens(150, 1), { seed: 1 });
    expect(run.finish).toBe('length');
    expect(run.tokens).toHaveLength(10);
    const lane = engine.open();
    expect(await errorCode(() => lane.append(randomTokens(161, 1)))).toBe('over-capacity');
    expect(lane.length).toBe(0);
    await lane.append(randomTokens(160, 1));
    expect((await readAll(lane.generate())).finish).toBe('length');
    expect(lane.length).toBe(160);
    expect(await errorCode(() => lane.append([1]))).toBe('over-capacity');
    expect(await errorCode(() => lane.score([1, 2]))).toBe('over-capacity');
    expect(await lane.score([1])).toHaveLength(1);
    lane.dispose();
    expect(allFree(rig)).toBe(true);
  });

  it('runs beside idle lanes that hold all there is', async () => {
    const idle = [0, 1].map(() => rig.engine.open());
    for (const [i, lane] of idle.entries()) await lane.append(randomTokens(78, i));
    const run = await runAlone(rig.engine, randomTokens(90, 7), { seed: 7, maxTokens: 60 });
    expect(run).toEqual(await runAlone(ample.engine, randomTokens(90, 7), { seed: 7, maxTokens: 60 }));
    expect(idle.map((lane) => lane.length)).toEqual([78, 78]);
    disposeAll(idle);
    expect(allFree(rig)).toBe(true);
  });

  it('says before a run what would fit', async () => {
    const { engine } = rig;
    engine.admit({ lanes: 2, shared: 32, length: 96 });
    expect(() => engine.admit({ lanes: 8, shared: 32, length: 96 })).toThrow(
      /8 lanes × 96 tokens.* holds 41 KiB: 8 × 48, or 2 × 96, or f16 KV/,
    );
    expect(() => engine.admit({ lanes: 1, shared: 0, length: 161 })).toThrow(/at most 160 tokens/);
    expect(() => engine.admit({ lanes: 0, shared: 0, length: 1 })).toThrow(/lanes is 0/);
  });
});

describe('few places', () => {
  let rig: Rig;
  beforeAll(async () => {
    rig = await openRig(TINY, { maxLanes: 2, prefillRows: 4, maxBiases: 4 });
  });
  afterAll(() => rig.dispose());

  it('gives five lanes turns on two slots', async () => {
    expect(rig.engine.capacity.maxLanes).toBe(2);
    const prompts = Array.from({ length: 5 }, (_, i) => randomTokens(5 + i, i));
    const together = await Promise.all(
      prompts.map((prompt, seed) => runAlone(rig.engine, prompt, { seed, maxTokens: 12 })),
    );
    for (const [seed, prompt] of prompts.entries()) {
      expect(await runAlone(rig.engine, prompt, { seed, maxTokens: 12 })).toEqual(together[seed]);
    }
    expect(allFree(rig)).toBe(true);
  });

  it('lets a choice among many tokens through while lanes decode without end', async () => {
    const { engine } = rig;
    const stop = new AbortController();
    const busy = [engine.open()];
    const runs = busy.map(async (lane, seed) => {
      await lane.append([1, 2, 3]);
      return readAll(lane.generate({ seed, signal: stop.signal }));
    });
    const lane = engine.open();
    await lane.append([4, 5, 6]);
    const all = Array.from({ length: TINY.vocabSize }, (_, token) => token);
    const most = Array.from({ length: engine.maxDraws }, (_, i) => all[i % all.length]!);
    const sum = (await lane.choose(all)).reduce((a, b) => a + b, 0);
    expect(sum).toBeCloseTo(1, 5);
    expect(await lane.choose(most)).toHaveLength(most.length);
    expect(busy.every(({ length }) => length < TINY.maxContext)).toBe(true);
    stop.abort();
    expect((await Promise.all(runs)).map(({ finish }) => finish)).toEqual(['abort']);
    expect(await errorCode(() => lane.choose([...most, 0]))).toBe('bad-option');
    disposeAll([...busy, lane]);
  });

  it('fails a lane alone whose biases find no room', async () => {
    const { engine } = rig;
    const biases = new Map([1, 2, 3].map((token) => [token, 1]));
    const runs = [0, 1].map((seed) => runAlone(engine, [1, 2], { seed, biases, maxTokens: 30 }));
    const codes = await Promise.all(runs.map((run) => errorCode(() => run)));
    expect(codes.toSorted()).toEqual(['bad-option', 'none']);
    expect((await runAlone(engine, [1, 2], { seed: 1, biases, maxTokens: 3 })).tokens).toHaveLength(3);
  });
});
