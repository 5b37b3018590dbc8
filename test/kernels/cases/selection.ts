/** What must hold of the selection kernels, as checks that any host with a `Gpu` can run: they throw on a mismatch. */
import type { Gpu } from '../../../src/gpu/index.ts';
import {
  SEARCH_ROWS,
  SEARCH_WORDS,
  type SearchPlan,
  type SparseWork,
  writeSearch,
} from '../../../src/kernels/row-lists.ts';
import { Selection } from '../../../src/kernels/selection.ts';
import { createStepBuffers, PAGE_SIZE } from '../../../src/kernels/step.ts';
import type { SummaryKind } from '../../../src/kernels/summary.ts';
import { submit } from './attention-support.ts';
import { divideHeads, halfBits } from './cache-memory.ts';
import { assert, download, freeStep, seeded, stepShape, upload } from './linear-support.ts';

export interface SelectionCase {
  heads: number;
  kvHeads: number;
  headDim: number;
  /** Precision of the summaries. */
  precision: 'f32' | 'f16';
  summary: SummaryKind;
  /** Buffers that summaries lie in, each with as many heads. Default 1. */
  parts?: number;
  /** Leading pages that all lanes have in common. Default none. */
  common?: number;
  searches: readonly {
    blockSize: 16 | 32 | 64;
    length: number;
    sinks: number;
    chosen: number;
    denseLayers?: number[];
  }[];
  seed: number;
}

/** The numbers below `count`, in random order. */
export function permutation(count: number, random: () => number): Uint32Array<ArrayBuffer> {
  const order = Uint32Array.from({ length: count }, (_, i) => i);
  for (let i = count - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}

/** The layer that is checked. */
const LAYER = 37;

/**
 * Lists of random searches against their definition. Queries and summaries are small whole numbers, so that scores are exact
 * and many are equal: the rule for ties decides.
 */
export async function checkSelection(gpu: Gpu, test: SelectionCase): Promise<void> {
  const { heads, kvHeads, headDim, precision, summary, searches, parts = 1, common = 0 } = test;
  const random = seeded(test.seed);
  const whole = () => Math.floor(random() * 5) - 2;
  const group = heads / kvHeads;
  const pagesPerLane = Math.max(...searches.map(({ length }) => Math.ceil(length / PAGE_SIZE)));
  const total = searches.length * pagesPerLane;
  const pages = permutation(total, random);
  for (let lane = 1; lane < searches.length; lane++) {
    pages.copyWithin(lane * pagesPerLane, 0, Math.min(common, pagesPerLane));
  }
  const vectors = summary === 'minmax' ? 2 : 1;
  const summaries = Float32Array.from({ length: total * kvHeads * vectors * headDim }, whole);
  // Multiples of the group: their averages are whole numbers as well.
  const q = Float32Array.from({ length: searches.length * heads * headDim }, () => group * whole());

  const plans: Required<SearchPlan>[] = [];
  let list = searches.length * pagesPerLane;
  let scores = 0;
  for (const [i, { blockSize, length, sinks, chosen, denseLayers }] of searches.entries()) {
    const candidates = Math.floor((length - 1) / blockSize) - sinks;
    const entries = Math.ceil((length - (candidates - chosen) * blockSize) / PAGE_SIZE);
    const before = i % SEARCH_ROWS === 0 ? undefined : searches[i - 1]!;
    const alike =
      before?.blockSize === blockSize && before.sinks === sinks && before.denseLayers?.join() === denseLayers?.join();
    const most = alike ? Math.min(candidates, plans[i - 1]!.candidates) : 0;
    const shared = Math.max(0, Math.min(most, Math.floor((common * PAGE_SIZE) / blockSize) - sinks));
    const shift = Math.log2(blockSize);
    plans.push({ first: sinks, candidates, chosen, shift, scores, list, entries, common: shared });
    list += kvHeads * entries;
    scores += kvHeads * candidates;
  }
  const options = { heads, kvHeads, headDim, parts, summary, maxScores: scores };
  const selection = await Selection.create(gpu, options, { weights: 'f32', kv: precision });
  const step = createStepBuffers(gpu, {
    maxRows: searches.length,
    maxItems: 1,
    maxLogitRows: 1,
    maxSamples: 1,
    slots: searches.length,
    maxPagesPerLane: pagesPerLane,
    maxListEntries: list - searches.length * pagesPerLane,
    maxScores: scores,
  });
  const words = new Uint32Array(searches.length * SEARCH_WORDS);
  const shape = stepShape(searches.length);
  const work = shape.sparse as SparseWork;
  for (const [i, plan] of plans.entries()) {
    const layers = searches[i]!.denseLayers ?? [];
    writeSearch(words, i, i, i * pagesPerLane, plan, layers);
    work.searches.summaries.add(plan, 'summaries', layers);
    work.rows++;
  }
  gpu.device.queue.writeBuffer(step.summarySearches, 0, words);
  gpu.device.queue.writeBuffer(step.pageLists, 0, pages);
  const untouched = new Uint32Array(list - pages.length).fill(0xffffffff);
  gpu.device.queue.writeBuffer(step.pageLists, pages.byteLength, untouched);
  const buffers = {
    q: upload(gpu, 'q', q),
    keys: upload(gpu, 'keys', new Float32Array(4)),
  };
  const stored = precision === 'f32' ? summaries : Uint16Array.from(summaries, halfBits);
  const divided = divideHeads(new Uint8Array(stored.buffer), total, parts).map((part) =>
    upload(gpu, 'summaries', part),
  );
  const bound = divided.map((own, part) =>
    selection.bind(gpu, { ...buffers, summaries: own, step, layer: LAYER, part }),
  );
  try {
    const costs = submit(gpu, (recorder) => {
      for (const part of bound) part.record(recorder, shape);
    }).total();
    const out = new Uint32Array(await download(gpu, step.pageLists, list * 4));
    let read = 0;
    for (const [i, { blockSize, length, chosen, denseLayers }] of searches.entries()) {
      const plan = plans[i]!;
      const table = Array.from(pages.subarray(i * pagesPerLane, (i + 1) * pagesPerLane));
      const per = blockSize / PAGE_SIZE;
      const dense = denseLayers?.includes(LAYER);
      const together = gpu.profile.tuning === 'gpu' ? plan.common : 0;
      if (!dense) read += (plan.candidates - together) * per * kvHeads;
      for (let kv = 0; kv < kvHeads; kv++) {
        const query = Array.from({ length: headDim }, (_, d) => {
          let sum = 0;
          for (let h = 0; h < group; h++) sum += q[(i * heads + kv * group + h) * headDim + d]!;
          return sum / group;
        });
        const pageScore = (page: number) => {
          const at = (page * kvHeads + kv) * vectors * headDim;
          return query.reduce((sum, x, d) => {
            const first = x * summaries[at + d]!;
            return sum + (vectors === 2 ? Math.max(first, x * summaries[at + headDim + d]!) : first);
          }, 0);
        };
        const blocks = Array.from({ length: plan.candidates }, (_, c) => {
          const own = table.slice((plan.first + c) * per, (plan.first + c + 1) * per);
          const scoresOf = own.map(pageScore);
          const score = summary === 'minmax' ? Math.max(...scoresOf) : scoresOf.reduce((a, b) => a + b, 0) / per;
          return { own, c, score };
        });
        const best = [...blocks].sort((a, b) => b.score - a.score || a.c - b.c).slice(0, chosen);
        const behind = (plan.first + plan.candidates) * per;
        const expected = dense
          ? Array.from({ length: plan.entries }, () => 0xffffffff)
          : [
              ...table.slice(0, plan.first * per),
              ...best.sort((a, b) => a.c - b.c).flatMap(({ own }) => own),
              ...table.slice(behind, Math.ceil(length / PAGE_SIZE)),
            ];
        const at = plan.list + kv * plan.entries;
        const actual = Array.from(out.subarray(at, at + plan.entries));
        assert(
          actual.join() === expected.join(),
          `search ${i}, head ${kv} (${chosen} of ${plan.candidates} blocks of ${blockSize}): ${actual}\nnot ${expected}`,
        );
      }
    }
    const bytes = precision === 'f32' ? 4 : 2;
    const least = read * vectors * headDim * bytes;
    assert(costs.search.bytes > least && costs.search.bytes < 4 * least + 1e5, `declares ${costs.search.bytes} bytes`);
    assert(costs.search.flops >= 2 * read * headDim, `declares ${costs.search.flops} FLOPs`);
  } finally {
    selection.dispose();
    freeStep(gpu, step);
    for (const buffer of [...divided, ...Object.values(buffers)]) gpu.free(buffer);
  }
}
