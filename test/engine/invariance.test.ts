/**
 * A lane's tokens and log-probabilities depend on its prompt, settings and seed: bit for bit, whatever runs beside it.
 * On the kernels of either kind of device, which are held against the reference here as well: software drivers take long
 * to compile those of GPUs, so no other file asks for them.
 */
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import type { GenerateOptions } from '../../src/engine/types.ts';
import {
  disposeAll,
  openRig,
  type Rig,
  type RigOptions,
  type Run,
  randomTokens,
  readAll,
  runAlone,
  TINY,
} from './rig.ts';

/** GPUBufferUsage.MAP_READ | COPY_DST: the global is absent in Node. */
const GPU_MAP_READ = 0x01 | 0x08;

interface Job {
  prompt: number[];
  options: GenerateOptions;
}

const SETTINGS: GenerateOptions[] = [
  {},
  { temperature: 0 },
  { temperature: 0.7, topK: 20 },
  { topP: 0.9 },
  { minP: 0.1, temperature: 1.5 },
  { repetitionPenalty: 1.3 },
  {
    biases: new Map([
      [3, Number.NEGATIVE_INFINITY],
      [7, 2],
    ]),
  },
  { topK: 40, topP: 0.8, minP: 0.02, repetitionPenalty: 1.1 },
];

/** Jobs of different prompts, lengths and settings. */
function jobs(count: number, longest: number): Job[] {
  return Array.from({ length: count }, (_, i) => ({
    prompt: randomTokens(1 + ((i * 37) % longest), 100 + i),
    options: { ...SETTINGS[i % SETTINGS.length]!, seed: 1000 + i, maxTokens: 6 + ((i * 5) % 13) },
  }));
}

async function alone(rig: Rig, list: readonly Job[]): Promise<Run[]> {
  const runs: Run[] = [];
  for (const { prompt, options } of list) {
    rig.engine.clearPrefixes();
    runs.push(await runAlone(rig.engine, prompt, options));
  }
  rig.engine.clearPrefixes();
  return runs;
}

/** Waits until `count` more steps have come back. */
function steps(rig: Rig, count: number): Promise<void> {
  return new Promise((resolve) => {
    let left = count;
    if (left === 0) return resolve();
    const stop = rig.engine.onStep(() => {
      if (--left > 0) return;
      stop();
      resolve();
    });
  });
}

/** More lanes, and more prompt tokens a step, than rows from which GPUs' tiled matmul takes over. */
const SIZES = { maxLanes: 40, prefillRows: 48 };

describe.each<{ name: string; options: RigOptions }>([
  { name: 'the kernels of software drivers', options: { open: { tuning: 'cpu' }, serialAttention: true } },
  { name: 'the kernels of GPUs', options: { open: { tuning: 'gpu' }, serialAttention: false } },
])('$name', ({ options: kernels }) => {
  const all = jobs(SIZES.maxLanes, 90);
  let rig: Rig;
  let lonely: Run[];
  beforeAll(async () => {
    rig = await openRig(TINY, { ...SIZES, ...kernels });
    lonely = await alone(rig, all);
  });
  beforeEach(() => rig.engine.clearPrefixes());
  afterAll(() => rig?.dispose());

  it('score a long prompt as the reference does', async () => {
    const tokens = randomTokens(170, 5);
    const lane = rig.engine.open();
    await lane.append(tokens.slice(0, 100));
    const scores = await lane.score(tokens.slice(100));
    lane.dispose();
    const reference = (await rig.reference()).logits(tokens);
    for (const [i, score] of scores.entries()) {
      const logits = reference[99 + i]!;
      const top = Math.max(...logits);
      const total = logits.reduce((sum, logit) => sum + Math.exp(logit - top), 0);
      expect(score).toBeCloseTo(logits[tokens[100 + i]!]! - top - Math.log(total), 4);
    }
  });

  it.each([3, 8, SIZES.maxLanes])('give lane i of %i what they give the lane alone', async (count) => {
    const list = all.slice(0, count);
    const runs = await Promise.all(list.map(({ prompt, options }) => runAlone(rig.engine, prompt, options)));
    expect(runs).toEqual(lonely.slice(0, count));
  });

  it('do so while others join, read long prompts, and leave in the middle', async () => {
    const list = all.slice(0, 6);
    // Noise: long prompts that start and stop at any step, for as long as the jobs take.
    let over = false;
    const noise = (async () => {
      for (let i = 0; !over; i++) {
        const lane = rig.engine.open();
        const stop = new AbortController();
        await lane.append(randomTokens(40 + ((i * 61) % 200), 900 + i));
        const run = readAll(lane.generate({ seed: i, signal: stop.signal, maxTokens: 40 }));
        await Promise.race([steps(rig, i % 5), run]);
        if (i % 2 === 0) stop.abort();
        if (i % 3 === 0) lane.dispose();
        await run.catch(() => {});
        lane.dispose();
      }
    })();
    const runs = await Promise.all(
      list.map(async ({ prompt, options }, i) => {
        for (let turn = 0; turn < i * 40; turn++) await new Promise((resolve) => setImmediate(resolve));
        return runAlone(rig.engine, prompt, options);
      }),
    );
    over = true;
    await noise;
    expect(runs).toEqual(lonely.slice(0, 6));
  });

  it('continue all forks of a prompt as if each had read it itself', async () => {
    const prompt = randomTokens(37, 5);
    const list = Array.from({ length: 8 }, (_, i) => ({ prompt, options: { seed: i, maxTokens: 20 } }));
    const expected = await alone(rig, list);
    const root = rig.engine.open();
    await root.append(prompt);
    const forks = root.fork(8);
    const runs = await Promise.all(forks.map((fork, i) => readAll(fork.generate(list[i]!.options))));
    disposeAll([root, ...forks]);
    expect(runs).toEqual(expected);
  });

  it('choose by a shared prompt what each lane chooses alone, on GPUs together', async () => {
    const { engine } = rig;
    const run = async (share: boolean) => {
      engine.sharePrompt = share;
      const root = engine.open();
      await root.append(randomTokens(150, 9));
      const lanes = root.fork(10);
      const rows: number[] = [];
      const stop = engine.onStep(({ decodeRows }) => rows.push(decodeRows));
      const before = engine.ledger.snapshot().classes.search.bytes;
      for (const lane of lanes) lane.attention = { kind: 'blockTopK', budget: 32 };
      const runs = await Promise.all(lanes.map((lane, seed) => readAll(lane.generate({ seed, maxTokens: 6 }))));
      stop();
      disposeAll([root, ...lanes]);
      return { runs, rows, bytes: engine.ledger.snapshot().classes.search.bytes - before };
    };
    const [apart, together] = [await run(false), await run(true)];
    expect(together.runs).toEqual(apart.runs);
    // In the layer that chooses: eight pages behind the first, of 16 numbers in f32; read once for up to eight lanes.
    const saved = together.rows.reduce((sum, n) => sum + (n - Math.ceil(n / 8)) * 8 * 16 * 4, 0);
    expect(saved).toBeGreaterThan(0);
    expect(apart.bytes - together.bytes).toBe(rig.gpu.profile.tuning === 'gpu' ? saved : 0);
  });

  it('do not care how a prompt was cut into appends', async () => {
    const prompt = randomTokens(83, 6);
    const options = { seed: 9, maxTokens: 12 };
    const [expected] = await alone(rig, [{ prompt, options }]);
    for (const cuts of [[1], [16, 17, 48], [40, 41, 42, 82]]) {
      rig.engine.clearPrefixes();
      const lane = rig.engine.open();
      for (const [i, cut] of [...cuts, prompt.length].entries()) await lane.append(prompt.slice(cuts[i - 1] ?? 0, cut));
      expect(await readAll(lane.generate(options))).toEqual(expected);
      lane.dispose();
    }
  });
});

it('does not care in which order read-backs arrive', async () => {
  const list = jobs(5, 40);
  const rig = await openRig(TINY, SIZES);
  const expected = await alone(rig, list);
  // Firefox fulfils mappings that are ready at the same time in any order.
  const buffer = rig.gpu.device.createBuffer({ size: 16, usage: GPU_MAP_READ });
  const prototype = Object.getPrototypeOf(buffer) as GPUBuffer;
  const { mapAsync } = prototype;
  let turn = 0;
  const late = vi.spyOn(prototype, 'mapAsync').mockImplementation(async function (this: GPUBuffer, ...args) {
    const wait = turn++ % 2 === 0 ? 3 : 0;
    await mapAsync.apply(this, args);
    await new Promise((resolve) => setTimeout(resolve, wait));
    return undefined;
  });
  try {
    const runs = await Promise.all(list.map(({ prompt, options }) => runAlone(rig.engine, prompt, options)));
    expect(late.mock.calls.length).toBeGreaterThan(10);
    expect(runs).toEqual(expected);
  } finally {
    late.mockRestore();
    rig.dispose();
  }
});

it('does not care how many prompt tokens a step takes, nor which attention runs', async () => {
  const list = jobs(5, 150);
  const results: Run[][] = [];
  for (const options of [
    { prefillRows: 1 },
    { prefillRows: 7, serialAttention: false },
    { prefillRows: 200, maxLanes: 2 },
  ]) {
    const rig = await openRig(TINY, options);
    results.push(await Promise.all(list.map(({ prompt, options }) => runAlone(rig.engine, prompt, options))));
    rig.dispose();
  }
  for (const runs of results.slice(1)) expect(runs).toEqual(results[0]);
});
