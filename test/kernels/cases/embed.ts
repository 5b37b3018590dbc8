/** Checks of the embedding on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { Embed } from '../../../src/kernels/embed.ts';
import { packedBytes, packedColumns, WeightPacker } from '../../../src/kernels/pack.ts';
import type { Precision } from '../../../src/kernels/precision.ts';
import { FROM_LANE } from '../../../src/kernels/step.ts';
import {
  assert,
  assertSameBits,
  downloadFloats,
  freeStep,
  nearestHalf,
  randoms,
  runStep,
  seeded,
  stepBuffers,
  stepShape,
} from './linear-support.ts';

export interface EmbedCase {
  hidden: number;
  vocab: number;
  precision: Precision;
  seed: number;
}

/** Given tokens, tokens of lanes, and ids past the table, exactly. */
export async function checkEmbed(gpu: Gpu, { hidden, vocab, precision, seed }: EmbedCase): Promise<void> {
  const what = `embed ${vocab}×${hidden} ${precision} seed ${seed}`;
  const random = seeded(seed);
  const token = () => Math.floor(random() * vocab);
  const table = randoms(random, vocab * hidden);
  const lanes = Uint32Array.from({ length: 8 }, token);
  lanes[7] = vocab + 5;
  const tokens = [token(), 0, vocab - 1, vocab, FROM_LANE, FROM_LANE | 3, FROM_LANE | 7, 0x7fffffff].map(
    (t) => t >>> 0,
  );
  const meant = [tokens[0]!, 0, vocab - 1, vocab - 1, lanes[0]!, lanes[3]!, vocab - 1, vocab - 1];

  const packer = await WeightPacker.create(gpu, precision);
  const packed = gpu.buffer('table', packedBytes(hidden, vocab, precision));
  const source = { dtype: 'F32', firstColumn: 0, columnStride: 1, elementOffset: 0 } as const;
  packer.write(packed, { inputs: hidden, columns: packedColumns(vocab) }, source, new Uint8Array(table.buffer));
  const step = stepBuffers(gpu, tokens.length);
  gpu.device.queue.writeBuffer(step.rows, 0, Uint32Array.from(tokens.flatMap((t, i) => [i, 10 + i, t, 0])));
  gpu.device.queue.writeBuffer(step.laneTokens, 0, lanes);
  const out = gpu.buffer('x', (tokens.length + 1) * hidden * 4);

  const embed = await Embed.create(gpu, { hidden, vocab }, { weights: precision, kv: 'f32' });
  const cost = runStep(gpu, step, stepShape(tokens.length), embed.bind(gpu, { table: packed, out, step }));
  const bytes = tokens.length * (16 + hidden * (4 + (precision === 'f16' ? 2 : 4)));
  assert(cost.other.bytes === bytes, `${what}: ${cost.other.bytes} bytes, not ${bytes}`);
  const expected = new Float32Array((tokens.length + 1) * hidden);
  for (const [row, id] of meant.entries()) {
    const values = table.subarray(id * hidden, (id + 1) * hidden);
    expected.set(precision === 'f16' ? values.map(nearestHalf) : values, row * hidden);
  }
  assertSameBits(await downloadFloats(gpu, out, expected.length), expected, what);
  packer.dispose();
  freeStep(gpu, step);
  gpu.free(packed);
  gpu.free(out);
}

export async function checkEmbedAll(gpu: Gpu): Promise<void> {
  for (const precision of ['f32', 'f16'] as const) {
    await checkEmbed(gpu, { hidden: 128, vocab: 80, precision, seed: 1 });
    await checkEmbed(gpu, { hidden: 4, vocab: 1, precision, seed: 2 });
    await checkEmbed(gpu, { hidden: 300, vocab: 67, precision, seed: 3 });
  }
}
