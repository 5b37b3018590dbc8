/** Checks of the experts' kernels on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { ExpertMatmul, expertColumns, expertTile, mostTiles } from '../../../src/kernels/experts.ts';
import type { MatmulTuning } from '../../../src/kernels/matmul.ts';
import { columnBytes, FOUR_BIT, type WeightFormat } from '../../../src/kernels/matrix.ts';
import { Router } from '../../../src/kernels/router.ts';
import type { StepRecorder, StepShape } from '../../../src/kernels/step.ts';
import {
  assert,
  assertClose,
  assertSameBits,
  downloadFloats,
  freeStep,
  randoms,
  runStep,
  seeded,
  stepBuffers,
  stepShape,
  upload,
} from './linear-support.ts';
import { SLICED } from './matmul.ts';
import { F32, storedMatrix } from './matrix-support.ts';

export interface ExpertsCase {
  experts: number;
  perToken: number;
  hidden: number;
  /** Of an expert. */
  size: number;
  normalised: boolean;
  format: WeightFormat;
  /** Tunings that cut K alike: they must agree bit for bit. */
  tunings: readonly MatmulTuning[];
  /** Row counts; every row must have the same bits in each of them. */
  counts: readonly number[];
  seed: number;
}

/** From router logits and normed rows to what is added to the residual, against float64. */
export async function checkExperts(gpu: Gpu, test: ExpertsCase): Promise<void> {
  const { experts, perToken, hidden, size, normalised, format, tunings, counts, seed } = test;
  const what = `${perToken} of ${experts} experts ${hidden}→${size}, seed ${seed}`;
  const random = seeded(seed);
  const most = Math.max(...counts);
  const items = most * perToken;
  const logits = randoms(random, most * experts, 3);
  // Equal logits: the earlier expert comes first.
  logits.fill(2.5, 0, Math.min(experts, perToken + 2));
  const h = randoms(random, most * hidden);
  const residual = randoms(random, most * hidden);
  const unit = { wide: expertColumns(2 * size), narrow: expertColumns(hidden) };
  // Divided after the second expert.
  const divide = (columns: number) => [
    { first: 0, outputs: 2 * columns },
    { first: 2 * columns, outputs: (experts - 2) * columns },
  ];
  const gateUp = await storedMatrix(gpu, {
    inputs: hidden,
    outputs: experts * unit.wide,
    format,
    parts: divide(unit.wide),
    random,
  });
  const down = await storedMatrix(gpu, {
    inputs: size,
    outputs: experts * unit.narrow,
    format,
    parts: divide(unit.narrow),
    random,
  });
  const expected = Float64Array.from(residual);
  for (let row = 0; row < most; row++) {
    const own = logits.subarray(row * experts, (row + 1) * experts);
    const x = h.subarray(row * hidden, (row + 1) * hidden);
    for (const { expert, weight } of choose(own, perToken, normalised)) {
      const made = swiglu(
        x,
        gateUp.values.subarray(expert * unit.wide * hidden),
        down.values.subarray(expert * unit.narrow * size),
        size,
      );
      for (let i = 0; i < hidden; i++) expected[row * hidden + i]! += weight * made[i]!;
    }
  }

  const step = stepBuffers(gpu, most);
  const floats = (label: string, count: number) => gpu.buffer(label, count * 4);
  const buffers = {
    logits: upload(gpu, 'logits', logits),
    h: upload(gpu, 'h', h),
    x: floats('x', most * hidden),
    choices: floats('choices', items * 2),
    places: floats('places', items),
    tiles: floats('tiles', mostTiles(items, experts, 1) * 4),
    sorted: floats('sorted', (items + 32) * hidden),
    mlp: floats('mlp', (items + 32) * size),
    results: floats('results', (items + 32) * hidden),
  };
  let first: Float32Array | null = null;
  for (const tuning of tunings) {
    const shared = { experts, perToken, format, tuning };
    const router = await Router.create(gpu, { hidden, experts, perToken, normalised, tuning });
    const up = await ExpertMatmul.create(gpu, {
      ...shared,
      inputs: hidden,
      outputs: 2 * size,
      epilogue: 'swiglu',
      parts: gateUp.matrix.parts,
    });
    const back = await ExpertMatmul.create(gpu, {
      ...shared,
      inputs: size,
      outputs: hidden,
      epilogue: 'store',
      parts: down.matrix.parts,
    });
    const { before, behind } = router.bind(gpu, { ...buffers, step });
    const { tiles, sorted, mlp, results } = buffers;
    const ops = [
      before,
      up.bind(gpu, { x: sorted, weights: gateUp.matrix, out: mlp, tiles, step }),
      back.bind(gpu, { x: mlp, weights: down.matrix, out: results, tiles, step }),
      behind,
    ];
    const record = (recorder: StepRecorder, shape: StepShape) => {
      for (const op of ops) op.record(recorder, shape);
    };
    for (const count of counts) {
      gpu.device.queue.writeBuffer(buffers.x, 0, residual);
      const cost = runStep(gpu, step, stepShape(count), { record });
      const flops = 2 * count * perToken * 3 * hidden * size;
      assert(Math.abs(cost.linear.flops - flops) < 1e-6 * flops, `${what}: ${cost.linear.flops} FLOPs, not ${flops}`);
      const passes = mostTiles(count * perToken, experts, expertTile(tuning, count, experts, perToken));
      const weights = columnBytes(hidden, format) * 2 * size + columnBytes(size, format) * hidden;
      assert(cost.linear.bytes >= passes * weights, `${what}: ${cost.linear.bytes} bytes`);
      const actual = await downloadFloats(gpu, buffers.x, count * hidden);
      assertClose(actual, expected.subarray(0, count * hidden), 4e-6, `${what}, ${count} rows`);
      first ??= actual;
      assertSameBits(actual, first.subarray(0, count * hidden), `${what}, ${count} rows, tiles of ${tuning.rowTiles}`);
    }
  }
  freeStep(gpu, step);
  for (const { buffer } of [...gateUp.matrix.parts, ...down.matrix.parts]) gpu.free(buffer);
  for (const buffer of Object.values(buffers)) gpu.free(buffer);
}

function choose(logits: Float32Array, count: number, normalised: boolean) {
  const total = logits.reduce((sum, logit) => sum + Math.exp(logit), 0);
  const order = Array.from(logits.keys()).sort((a, b) => logits[b]! - logits[a]! || a - b);
  const chosen = order.slice(0, count).map((expert) => ({ expert, weight: Math.exp(logits[expert]!) / total }));
  const sum = normalised ? chosen.reduce((all, { weight }) => all + weight, 0) : 1;
  return chosen.map(({ expert, weight }) => ({ expert, weight: weight / sum }));
}

/** @param gateUp rows gate 0, up 0, gate 1, …, [2 · size][K]. @param down [K][size] */
function swiglu(x: Float32Array, gateUp: Float64Array, down: Float64Array, size: number): Float64Array {
  const K = x.length;
  const dot = (row: number) => x.reduce((sum, value, k) => sum + value * gateUp[row * K + k]!, 0);
  const inner = Float64Array.from({ length: size }, (_, i) => {
    const gate = dot(2 * i);
    return (gate / (1 + Math.exp(-gate))) * dot(2 * i + 1);
  });
  return Float64Array.from({ length: K }, (_, n) =>
    inner.reduce((sum, value, i) => sum + value * down[n * size + i]!, 0),
  );
}

/** Floats and codes, few experts and more than there are rows, two tilings. */
export async function checkExpertsAll(gpu: Gpu): Promise<void> {
  const tunings = [{ ...SLICED, rowTiles: [1, 8] }, { ...SLICED, rowTiles: [4], columns: 4, threads: 32 } as const];
  const common = { perToken: 3, normalised: true, tunings, counts: [13, 1, 4], seed: 1 };
  await checkExperts(gpu, { ...common, experts: 9, hidden: 64, size: 36, format: F32 });
  await checkExperts(gpu, { ...common, experts: 130, hidden: 32, size: 32, format: FOUR_BIT, normalised: false });
}
