/** The engine's ledger, which adds up what ran, against closed formulas for the same shapes. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StepRecord } from '../../src/engine/stepper.ts';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { defaultTuning } from '../../src/kernels/matmul.ts';
import { COST_CLASSES } from '../../src/ledger/cost.ts';
import { disposeAll, openRig, type Rig, randomTokens, readAll, TINY } from '../engine/rig.ts';

const config = { ...TINY, layers: 3, heads: 4, kvHeads: 2, hiddenSize: 40, intermediateSize: 72 };
const { layers, hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = config;
const QKV = (heads + 2 * kvHeads) * headDim;
/** Multiply-adds of a row in the layers' matrices; and of the head. */
const MATRICES = layers * (hiddenSize * QKV + heads * headDim * hiddenSize + 3 * hiddenSize * intermediateSize);
const HEAD = hiddenSize * vocabSize;
/** f32 numbers a row reads and writes around each matrix: in, out, and out once more where it is added to. */
const ACTIVATIONS =
  layers *
  (hiddenSize +
    QKV +
    (heads * headDim + 2 * hiddenSize) +
    (hiddenSize + intermediateSize) +
    (intermediateSize + 2 * hiddenSize));

/** 1 + 2 + … + n */
const triangle = (n: number) => (n * (n + 1)) / 2;

/** Tokens attended by a lane that reads `prompt` tokens and draws `drawn`: each row attends to its own token as well. */
const attended = (prompt: number, drawn: number) => triangle(prompt + drawn - 1);

describe.each([
  { name: 'attention of software drivers', serialAttention: true },
  { name: 'attention of GPUs', serialAttention: false },
])('the ledger with the $name', ({ serialAttention }) => {
  let rig: Rig;
  let records: StepRecord[] = [];
  beforeAll(async () => {
    rig = await openRig(config, { serialAttention, maxLanes: 16, prefillRows: 20 });
    rig.engine.onStep((record) => records.push(record));
  });
  afterAll(() => rig.dispose());

  /** What `work` adds to the engine's ledger. */
  async function spent(work: () => Promise<unknown>): Promise<LedgerSnapshot> {
    rig.engine.clearPrefixes();
    records = [];
    const before = rig.engine.ledger.snapshot();
    await work();
    const after = rig.engine.ledger.snapshot();
    const classes = structuredClone(after.classes);
    for (const name of COST_CLASSES) {
      classes[name].flops -= before.classes[name].flops;
      classes[name].bytes -= before.classes[name].bytes;
    }
    return {
      rows: after.rows - before.rows,
      sampled: after.sampled - before.sampled,
      flops: after.flops - before.flops,
      bytes: after.bytes - before.bytes,
      classes,
      denseAttention: {
        flops: after.denseAttention!.flops - before.denseAttention!.flops,
        bytes: after.denseAttention!.bytes - before.denseAttention!.bytes,
      },
    };
  }

  /** Tiles of rows that a matrix is read once for. */
  function tiles(rows: number): number {
    const { rowTiles, tiledFrom } = defaultTuning(rig.gpu.profile);
    if (rows >= tiledFrom) return Math.ceil(rows / 32);
    return Math.ceil(rows / (rowTiles.find((tile) => tile >= rows) ?? rowTiles.at(-1)!));
  }

  async function run(lanes: readonly [prompt: number, drawn: number][]): Promise<void> {
    const opened = lanes.map(() => rig.engine.open());
    await Promise.all(
      lanes.map(async ([prompt, drawn], i) => {
        await opened[i]!.append(randomTokens(prompt, i));
        await readAll(opened[i]!.generate({ seed: i, maxTokens: drawn }));
      }),
    );
    disposeAll(opened);
  }

  it.each<[string, [number, number][]]>([
    ['one lane', [[20, 15]]],
    ['a lane of one token', [[1, 4]]],
    [
      'three lanes',
      [
        [5, 9],
        [33, 20],
        [17, 1],
      ],
    ],
    ['sixteen lanes', Array.from({ length: 16 }, (_, i) => [1 + 5 * i, 6 + i])],
  ])('holds what %s take', async (_, lanes) => {
    const { rows, sampled, classes, flops, bytes } = await spent(() => run(lanes));
    const draws = lanes.reduce((sum, [, drawn]) => sum + drawn, 0);
    // Every token but the last drawn one goes through the model once.
    const expectedRows = lanes.reduce((sum, [prompt, drawn]) => sum + prompt + drawn - 1, 0);
    expect(sampled).toBe(draws);
    expect(rows).toBe(expectedRows);
    expect(classes.linear.flops).toBe(2 * (rows * MATRICES + draws * HEAD));

    const pairs = lanes.reduce((sum, [prompt, drawn]) => sum + attended(prompt, drawn), 0);
    const dots = 4 * heads * headDim * layers * pairs;
    if (serialAttention) expect(classes.attention.flops).toBe(dots);
    else {
      // Decoding also merges its splits of 128 tokens.
      expect(classes.attention.flops).toBeGreaterThanOrEqual(dots);
      expect(classes.attention.flops).toBeLessThan(dots + 3 * heads * headDim * layers * draws * 2);
    }
    const kvToken = 2 * kvHeads * headDim * 4;
    // Keys and values of every row; of every full page the mean of its keys.
    const filled = lanes.reduce((sum, [prompt, drawn]) => sum + Math.floor((prompt + drawn - 1) / 16), 0);
    expect(classes.kvWrite).toEqual({ flops: 0, bytes: layers * (rows * kvToken + (filled * kvToken) / 2) });
    // Prefill reads keys and values once for a tile of up to eight rows, at least.
    expect(classes.attention.bytes).toBeGreaterThanOrEqual((layers * kvToken * pairs) / 8);
    expect(classes.attention.bytes).toBeLessThan(layers * (kvToken * pairs + 64 * rows * heads * (headDim + 4)));
    expect(classes.search).toEqual({ flops: 0, bytes: 0 });

    // Weights once for a tile of rows in each step, however many lanes share it.
    const weights = records.reduce(
      (sum, step) => sum + tiles(step.rows) * MATRICES + (step.decodeRows && tiles(step.decodeRows) * HEAD),
      0,
    );
    const activations = rows * ACTIVATIONS + draws * (hiddenSize + vocabSize);
    expect(classes.linear.bytes).toBe(4 * (weights + activations));

    expect(flops).toBeCloseTo(
      COST_CLASSES.reduce((sum, name) => sum + classes[name].flops, 0),
      3,
    );
    expect(bytes).toBeCloseTo(
      COST_CLASSES.reduce((sum, name) => sum + classes[name].bytes, 0),
      3,
    );
    expect(records.reduce((sum, step) => sum + step.flops, 0)).toBeCloseTo(flops, 3);
  });

  it('charges a sparse row with what it attends to and with its search, and tells what dense attention would cost', async () => {
    const [prompt, drawn, chosen] = [70, 20, 2];
    const lanes = [rig.engine.open(), rig.engine.open()];
    const total = await spent(() =>
      Promise.all(
        lanes.map(async (lane, i) => {
          // One of the two stays dense.
          if (i === 0) lane.attention = { kind: 'blockTopK', budget: 16 * chosen };
          await lane.append(randomTokens(prompt, i));
          await readAll(lane.generate({ seed: i, maxTokens: drawn }));
        }),
      ),
    );
    const dots = 4 * heads * headDim;
    let left = 0;
    const search = { flops: 0, bytes: 0 };
    for (let length = prompt; length < prompt + drawn; length++) {
      // The first page is a sink, the row's own is not asked about; all layers but the first choose.
      const candidates = Math.floor((length - 1) / 16) - 1;
      left += (layers - 1) * (candidates - chosen) * 16;
      const pages = 1 + chosen + 1;
      search.flops += (layers - 1) * (2 * headDim * kvHeads * candidates + heads * headDim);
      // Mean keys and queries; a score per candidate, written and gone over six times; the list.
      const words = headDim * kvHeads * candidates + heads * headDim + kvHeads * (7 * candidates + pages);
      search.bytes += (layers - 1) * 4 * words;
    }
    expect(left).toBeGreaterThan(0);
    expect(total.classes.search).toEqual(search);
    const saved = dots * left;
    const dense = total.denseAttention!;
    const merging = serialAttention ? 0 : 3 * heads * headDim * layers * 2 * drawn * 2;
    expect(dense.flops).toBeGreaterThanOrEqual(dots * layers * 2 * attended(prompt, drawn));
    expect(dense.flops).toBeLessThanOrEqual(dots * layers * 2 * attended(prompt, drawn) + merging);
    expect(dense.flops - total.classes.attention.flops).toBe(saved);
    expect(dense.bytes - total.classes.attention.bytes).toBe(2 * kvHeads * headDim * 4 * left);
    // Each pays for its own.
    const [sparse, other] = lanes.map((lane) => lane.ledger.snapshot());
    expect(sparse!.classes.search.flops).toBeCloseTo(search.flops, 3);
    expect(other!.classes.search.flops).toBe(0);
    expect(other!.denseAttention!.flops - other!.classes.attention.flops).toBeLessThan(1e-3 * dense.flops);
    const own = sparse!.denseAttention!.flops - sparse!.classes.attention.flops;
    expect(Math.abs(own - saved)).toBeLessThan(0.01 * saved);
    disposeAll(lanes);
  });

  it('is shared out over lanes without rest, never shrinks, and charges scores to their lane', async () => {
    const lanes = [0, 1, 2, 3, 4].map(() => rig.engine.open());
    const seen: LedgerSnapshot[] = [];
    const stop = rig.engine.onStep(() => seen.push(rig.engine.ledger.snapshot()));
    const total = await spent(() =>
      Promise.all(
        lanes.map(async (lane, i) => {
          await lane.append(randomTokens(7 + 13 * i, i));
          await readAll(lane.generate({ seed: i, maxTokens: 5 + 3 * i }));
          if (i % 2 === 0) await lane.score(randomTokens(10, i));
          else await lane.choose([1, 2, 3]);
        }),
      ),
    );
    stop();
    const parts = lanes.map((lane) => lane.ledger.snapshot());
    const sum = (pick: (part: LedgerSnapshot) => number) => parts.reduce((all, part) => all + pick(part), 0);
    expect(sum(({ rows }) => rows)).toBe(total.rows);
    expect(sum(({ sampled }) => sampled)).toBe(total.sampled);
    for (const name of COST_CLASSES) {
      for (const kind of ['flops', 'bytes'] as const) {
        const whole = total.classes[name][kind];
        expect(Math.abs(sum(({ classes }) => classes[name][kind]) - whole)).toBeLessThanOrEqual(1e-9 * whole);
      }
    }
    for (const [i, snapshot] of seen.entries()) {
      if (i === 0) continue;
      expect(snapshot.flops).toBeGreaterThanOrEqual(seen[i - 1]!.flops);
      expect(snapshot.bytes).toBeGreaterThanOrEqual(seen[i - 1]!.bytes);
    }
    disposeAll(lanes);
  });

  it('counts a shared prompt once, and a copied page as what it moves', async () => {
    const prompt = randomTokens(40, 1);
    const total = await spent(async () => {
      const root = rig.engine.open();
      await root.append(prompt);
      const forks = root.fork(8);
      await Promise.all(forks.map((fork, i) => readAll(fork.generate({ seed: i, maxTokens: 4 }))));
      expect(forks.every((fork) => fork.ledger.snapshot().rows === 4)).toBe(true);
      disposeAll([root, ...forks]);
    });
    expect(total.rows).toBe(39 + 8 * 4);
    const token = 2 * kvHeads * headDim * 4;
    // The root holds on to its open page: each of the forks copies it, read and written whole, in every layer.
    // So is its summary, which nobody has written there yet: it is not full. The root filled two pages.
    const summary = token / 2;
    expect(total.classes.kvWrite.bytes).toBe(layers * (token * (total.rows + 8 * 2 * 16) + summary * (8 * 2 + 2)));
  });

  it('records as many dispatches for many lanes as for one, at most nine a layer', async () => {
    const dispatches = async (count: number) => {
      await spent(() => run(Array.from({ length: count }, () => [3, 8])));
      return new Set(records.filter(({ rows, decodeRows }) => rows === decodeRows).map((step) => step.dispatches));
    };
    const one = await dispatches(1);
    expect(one.size).toBe(1);
    for (const count of [2, 5, 16]) expect(await dispatches(count)).toEqual(one);
    const [number] = one;
    // Around the layers: embedding, last norm, head, draw.
    expect(number).toBe((serialAttention ? 8 : 9) * layers + 4);
    expect(records.every(({ passes }) => passes === 1)).toBe(true);
  });
});
