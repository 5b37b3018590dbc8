import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Gpu, openGpu } from '../../src/gpu/index.ts';
import { MAX_LAYERS, SparseWork } from '../../src/kernels/row-lists.ts';
import { testGpu } from '../support/gpu.ts';
import { checkSelection, type SelectionCase } from './cases/selection.ts';
import { checkSummaries } from './cases/summary.ts';

const CUTS = [[100], [1], [16], [15, 2, 7], [31, 1, 3], [5, 40]];

describe('page summaries', () => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ gpu: await testGpu() });
  });
  afterAll(() => gpu.close());

  for (const [seed, [precision, summary, qkNorm]] of (
    [
      ['f32', 'mean', true],
      ['f16', 'minmax', true],
      ['f16', 'mean', false],
      ['int8', 'mean', true],
      ['int8', 'minmax', false],
    ] as const
  ).entries()) {
    it(`are the ${summary} of a page's keys in ${precision}, however the steps were cut`, async () => {
      const shape = { heads: 2, kvHeads: seed % 2 === 0 ? 2 : 1, headDim: seed % 2 === 0 ? 24 : 64 };
      // Of the two heads, some times each in buffers of its own.
      const parts = seed % 4 === 0 ? 2 : 1;
      await checkSummaries(gpu, { ...shape, parts, precision, summary, qkNorm, length: 75, cuts: CUTS, seed });
    });
  }
});

describe.each(['cpu', 'gpu'] as const)('selection, as tuned for a %s', (tuning) => {
  let gpu: Gpu;
  beforeAll(async () => {
    gpu = await openGpu({ gpu: await testGpu(), tuning });
  });
  afterAll(() => gpu.close());

  const MANY: SelectionCase['searches'] = [
    { blockSize: 16, length: 5000, sinks: 1, chosen: 64 },
    { blockSize: 16, length: 5000, sinks: 1, chosen: 64, denseLayers: [0, 37] },
    { blockSize: 16, length: 33, sinks: 0, chosen: 1 },
    { blockSize: 32, length: 700, sinks: 0, chosen: 5, denseLayers: [0, 36] },
    { blockSize: 64, length: 1025, sinks: 2, chosen: 13 },
    { blockSize: 16, length: 2049, sinks: 3, chosen: 124 },
  ];

  it('takes the best blocks by their means, earlier ones of equals', async () => {
    await checkSelection(gpu, {
      heads: 4,
      kvHeads: 2,
      headDim: 16,
      parts: 2,
      precision: 'f32',
      summary: 'mean',
      searches: MANY,
      seed: 1,
    });
  });

  it('takes the best blocks by their bounds', async () => {
    const shape = { heads: 3, kvHeads: 1, headDim: 24, precision: 'f16', summary: 'minmax' } as const;
    await checkSelection(gpu, { ...shape, searches: MANY.slice(1), seed: 2 });
    // Lanes of one prompt: most score it together, in two tiles; one has blocks of its own, one other dense layers.
    const prompt = Array.from({ length: 11 }, (_, i) => ({
      blockSize: i === 3 ? (32 as const) : (16 as const),
      length: 420 + 37 * ((i * 5) % 7),
      sinks: 1,
      chosen: 4 + i,
      denseLayers: i === 6 ? [37] : [0],
    }));
    await checkSelection(gpu, { ...shape, searches: prompt, common: 22, seed: 3 });
  });
});

describe('SparseWork', () => {
  it('takes out of each layer what is dense there', () => {
    const work = new SparseWork();
    const plan = { first: 0, candidates: 10, chosen: 2, shift: 5, scores: 0, list: 0, entries: 6 };
    work.rows = 2;
    work.searches.summaries.add(plan, 'summaries', [0, MAX_LAYERS - 1]);
    work.searches.summaries.add({ ...plan, candidates: 7, shift: 4 }, 'summaries', [0]);
    work.searches.keys.add({ ...plan, shift: 2 }, 'keys', []);
    const { summaries, keys } = work.searches;
    expect([0, 5, MAX_LAYERS - 1].map((layer) => summaries.countAt(layer))).toEqual([0, 2, 1]);
    expect([0, 5, MAX_LAYERS - 1].map((layer) => summaries.vectorsAt(layer))).toEqual([0, 27, 7]);
    expect([summaries.candidatesAt(5), summaries.entriesAt(5), summaries.longest]).toEqual([17, 12, 10]);
    expect(keys.vectorsAt(0)).toBe(40);
    work.reset();
    expect([summaries.countAt(0), keys.vectorsAt(3), work.itemsAt(0)]).toEqual([0, 0, 0]);
  });
});
