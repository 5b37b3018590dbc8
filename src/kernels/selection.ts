/**
 * Selection of the blocks that sparse rows attend to, before a layer's attention: scores (shaders/attention/score.wesl),
 * then the exact best and the lists that decoding reads (shaders/attention/choose.wesl).
 */
import { checkNumber } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { type AttentionShape, checkAttentionShape, layerBuffer, shapeConstants } from './attention-shape.ts';
import { kvHeadBytes, type Precisions, precisionConditions } from './precision.ts';
import { SEARCH_KINDS, SEARCH_ROWS, type SearchKind } from './row-lists.ts';
import type { StepBuffers, StepRecorder, StepShape } from './step.ts';
import { type SummaryKind, summaryPageBytes } from './summary.ts';

export interface SelectionOptions extends AttentionShape {
  /** What the page summaries hold; null: there are none, and blocks are found by their keys alone. */
  summary: SummaryKind | null;
  /** Room for scores, of all rows and KV heads together. */
  maxScores: number;
}

export interface SelectionBuffers {
  /** f32 [rows][heads][headDim], scaled by 1/√headDim */
  q: GPUBuffer;
  /** The layer's cache; layouts in shaders/attention/pages.wesl and append.wesl. */
  keys: GPUBuffer;
  summaries: GPUBuffer | null;
  step: StepBuffers;
  layer: number;
  /** Which part of the KV heads the buffers hold. Default 0. */
  part?: number;
}

/** How the work is divided: on drivers that run on the CPU, where a barrier is dear, few threads with much to do each. */
const TUNING = {
  gpu: { score: { THREADS: 64, PER_THREAD: 1 }, choose: 256 },
  cpu: { score: { THREADS: 4, PER_THREAD: 16 }, choose: 4 },
};
/** Passes over the scores that choose.wesl makes. */
const PASSES = 6;

export class Selection {
  readonly options: SelectionOptions;
  readonly perGroup: number;
  /** Bytes that a search reads of each candidate token's key, or of each candidate page's summary, for one KV head. */
  readonly vectorBytes: Record<SearchKind, number>;
  readonly #gpu: Gpu;
  readonly #score: Partial<Record<SearchKind, ScoreKernels>>;
  readonly #choose: Kernel;
  /** u32 [maxScores]; shared by the layers. */
  readonly #scores: GPUBuffer;

  private constructor(
    gpu: Gpu,
    options: SelectionOptions,
    perGroup: number,
    vectorBytes: Selection['vectorBytes'],
    score: Partial<Record<SearchKind, ScoreKernels>>,
    choose: Kernel,
  ) {
    this.#gpu = gpu;
    this.options = options;
    this.perGroup = perGroup;
    this.vectorBytes = vectorBytes;
    this.#score = score;
    this.#choose = choose;
    this.#scores = gpu.buffer('selection scores', options.maxScores * 4);
  }

  /** @throws ReckonError `bad-option` for a shape the kernels cannot serve, `limit-exceeded` for too many scores. */
  static async create(gpu: Gpu, options: SelectionOptions, precisions: Precisions): Promise<Selection> {
    checkAttentionShape(options);
    checkNumber('maxScores', options.maxScores, { min: 1, integer: true });
    const { headDim, summary } = options;
    const tuning = TUNING[gpu.profile.tuning];
    const conditions = precisionConditions(gpu, precisions);
    const shape = shapeConstants(options);
    const scoreOf = (by_keys: boolean, ROWS: number) =>
      gpu.kernel({
        module: 'attention/score',
        bindings: ['read', 'read', 'read', 'read', 'write', 'uniform'],
        constants: { ...shape, ...tuning.score, ROWS },
        conditions: { ...conditions, by_keys, minmax: !by_keys && summary === 'minmax' },
      });
    const score = async (by_keys: boolean): Promise<ScoreKernels> => {
      const shared = gpu.profile.tuning === 'gpu' ? scoreOf(by_keys, SEARCH_ROWS) : null;
      const [alone, together] = await Promise.all([scoreOf(by_keys, 1), shared]);
      return { alone, together };
    };
    const [keys, summaries, choose] = await Promise.all([
      score(true),
      summary ? score(false) : undefined,
      gpu.kernel({
        module: 'attention/choose',
        bindings: ['write', 'read', 'read', 'uniform'],
        constants: { THREADS: tuning.choose },
        conditions: {},
      }),
    ]);
    return new Selection(
      gpu,
      options,
      tuning.score.THREADS * tuning.score.PER_THREAD,
      {
        keys: kvHeadBytes(headDim, precisions.kv),
        summaries: summary ? summaryPageBytes({ kvHeads: 1, headDim }, summary, precisions.kv) : 0,
      },
      { keys, ...(summaries ? { summaries } : {}) },
      choose,
    );
  }

  /** The selection of one layer, or for a part of its heads. */
  bind(gpu: Gpu, { q, keys, summaries, step, layer, part = 0 }: SelectionBuffers): BoundSelection {
    const index = layerBuffer(gpu, this.options, layer, part);
    const ops = SEARCH_KINDS.flatMap((kind) => {
      const kernels = this.#score[kind];
      const source = kind === 'keys' ? keys : summaries;
      if (!kernels || !source) return [];
      const searches = kind === 'keys' ? step.keySearches : step.summarySearches;
      return {
        kind,
        // The layout is that of either kernel.
        score: gpu.bind(kernels.alone, [step.pageLists, q, source, searches, this.#scores, index]),
        choose: gpu.bind(this.#choose, [step.pageLists, searches, this.#scores, index]),
      };
    });
    return new BoundSelection(this, layer, ops);
  }

  kernels(kind: SearchKind): { score: ScoreKernels; choose: Kernel } {
    return { score: this.#score[kind]!, choose: this.#choose };
  }

  /** Frees what the layers share. */
  dispose(): void {
    this.#gpu.free(this.#scores);
  }
}

/** One search a workgroup, or SEARCH_ROWS that have candidates in common; null on software drivers, where nothing is gained. */
interface ScoreKernels {
  alone: Kernel;
  together: Kernel | null;
}

interface BoundSearch {
  kind: SearchKind;
  score: GPUBindGroup;
  choose: GPUBindGroup;
}

/** One layer's selection with its buffers. */
export class BoundSelection {
  readonly #selection: Selection;
  readonly #layer: number;
  readonly #searches: readonly BoundSearch[];

  constructor(selection: Selection, layer: number, searches: readonly BoundSearch[]) {
    this.#selection = selection;
    this.#layer = layer;
    this.#searches = searches;
  }

  /** Two dispatches for each kind of search that the step has in this layer. */
  record(step: StepRecorder, { sparse }: StepShape): void {
    if (sparse.rows === 0) return;
    const { headDim, parts = 1, ...all } = this.#selection.options;
    const [heads, kvHeads] = [all.heads / parts, all.kvHeads / parts];
    for (const { kind, score, choose } of this.#searches) {
      const work = sparse.searches[kind];
      const searches = work.countAt(this.#layer);
      if (searches === 0) continue;
      const kernels = this.#selection.kernels(kind);
      const candidates = work.candidatesAt(this.#layer) * kvHeads;
      const vectors = work.vectorsAt(this.#layer) * kvHeads;
      const together = work.shared ? kernels.score.together : null;
      const reads = together ? work.readsAt(this.#layer) * kvHeads : vectors;
      const groups = Math.ceil(work.longest / this.#selection.perGroup);
      step.dispatch(
        together ?? kernels.score.alone,
        score,
        [groups, Math.ceil(work.count / (together ? SEARCH_ROWS : 1)) * kvHeads],
        'search',
        'searched',
        2 * headDim * vectors + searches * heads * headDim,
        this.#selection.vectorBytes[kind] * reads + searches * heads * headDim * 4 + 4 * candidates,
      );
      const entries = work.entriesAt(this.#layer) * kvHeads;
      step.dispatch(
        kernels.choose,
        choose,
        [work.count, kvHeads],
        'search',
        'searched',
        0,
        4 * (PASSES * candidates + entries),
      );
    }
  }
}
