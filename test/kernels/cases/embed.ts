/** Checks of the embedding on any GPU; each throws on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import { Embed } from '../../../src/kernels/embed.ts';
import { type ColumnRange, columnBytes, EIGHT_BIT, FOUR_BIT, type WeightFormat } from '../../../src/kernels/matrix.ts';
import { FROM_LANE } from '../../../src/kernels/step.ts';
import {
  assert,
  assertSameBits,
  downloadFloats,
  freeStep,
  runStep,
  seeded,
  stepBuffers,
  stepShape,
} from './linear-support.ts';
import { F16, F32, storedMatrix } from './matrix-support.ts';

export interface EmbedCase {
  hidden: number;
  vocab: number;
  format: WeightFormat;
  parts?: readonly ColumnRange[];
  seed: number;
}

/** Given tokens, tokens of lanes, and ids past the table, exactly. */
export async function checkEmbed(gpu: Gpu, { hidden, vocab, format, parts, seed }: EmbedCase): Promise<void> {
  const what = `embed ${vocab}×${hidden} ${JSON.stringify(format)} seed ${seed}`;
  const random = seeded(seed);
  const token = () => Math.floor(random() * vocab);
  const lanes = Uint32Array.from({ length: 8 }, token);
  lanes[7] = vocab + 5;
  const tokens = [token(), 0, vocab - 1, vocab, FROM_LANE, FROM_LANE | 3, FROM_LANE | 7, 0x7fffffff].map(
    (t) => t >>> 0,
  );
  const meant = [tokens[0]!, 0, vocab - 1, vocab - 1, lanes[0]!, lanes[3]!, vocab - 1, vocab - 1];

  const { matrix, values } = await storedMatrix(gpu, { inputs: hidden, outputs: vocab, format, parts, random });
  const step = stepBuffers(gpu, tokens.length);
  gpu.device.queue.writeBuffer(step.rows, 0, Uint32Array.from(tokens.flatMap((t, i) => [i, 10 + i, t, 0])));
  gpu.device.queue.writeBuffer(step.laneTokens, 0, lanes);
  const out = gpu.buffer('x', (tokens.length + 1) * hidden * 4);

  const embed = await Embed.create(gpu, { hidden, vocab, format, ...(parts ? { parts } : {}) });
  const cost = runStep(gpu, step, stepShape(tokens.length), embed.bind(gpu, { table: matrix, out, step }));
  const bytes = tokens.length * (16 * (parts?.length ?? 1) + hidden * 4 + columnBytes(hidden, format));
  assert(cost.other.bytes === bytes, `${what}: ${cost.other.bytes} bytes, not ${bytes}`);
  const expected = new Float32Array((tokens.length + 1) * hidden);
  for (const [row, id] of meant.entries()) {
    expected.set(values.subarray(id * hidden, (id + 1) * hidden), row * hidden);
  }
  assertSameBits(await downloadFloats(gpu, out, expected.length), expected, what);
  freeStep(gpu, step);
  for (const { buffer } of matrix.parts) gpu.free(buffer);
  gpu.free(out);
}

/** Every format; codes and half scales have exact products. A table whole, and in parts. */
export async function checkEmbedAll(gpu: Gpu): Promise<void> {
  for (const format of [F32, F16]) {
    await checkEmbed(gpu, { hidden: 128, vocab: 80, format, seed: 1 });
    await checkEmbed(gpu, { hidden: 4, vocab: 1, format, seed: 2 });
    await checkEmbed(gpu, { hidden: 300, vocab: 67, format, seed: 3 });
  }
  const parts = [
    { first: 0, outputs: 40 },
    { first: 40, outputs: 40 },
    { first: 80, outputs: 11 },
  ];
  await checkEmbed(gpu, { hidden: 96, vocab: 91, format: F16, parts, seed: 4 });
  await checkEmbed(gpu, { hidden: 96, vocab: 91, format: FOUR_BIT, parts, seed: 5 });
  await checkEmbed(gpu, { hidden: 64, vocab: 33, format: { ...EIGHT_BIT, group: 16 }, seed: 6 });
}
