/** Copies pages within the KV cache, all layers from one list: copy-on-write. See shaders/kv/copy.wesl. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu, Kernel } from '../gpu/index.ts';
import { type AttentionShape, checkAttentionShape } from './attention-shape.ts';
import { kvHeadBytes, type Precisions } from './precision.ts';
import { PAGE_SIZE, type StepRecorder } from './step.ts';

export interface KvCopyOptions extends Pick<AttentionShape, 'kvHeads' | 'headDim'> {
  /** Most copies in one step. */
  maxCopies: number;
  /** Bytes of a page's summary in one layer; 0: pages have none. Default 0. */
  summaryBytes?: number;
}

/** A layer's cache; summaries where its pages have them. */
export interface CopiedBuffers {
  readonly keys: GPUBuffer;
  readonly values: GPUBuffer;
  readonly summaries?: GPUBuffer | null;
}

/** One page to copy: physical pages. No target may be the source of another copy in the list. */
export interface PagePair {
  readonly source: number;
  readonly target: number;
}

const THREADS = 64;

export class KvCopy {
  readonly options: KvCopyOptions;
  readonly kernel: Kernel;
  /** Bytes of one page of keys, and of one of values. */
  readonly pageBytes: number;
  readonly #gpu: Gpu;
  readonly #pairs: GPUBuffer;
  readonly #staged: Uint32Array<ArrayBuffer>;

  private constructor(gpu: Gpu, options: KvCopyOptions, kernel: Kernel, pageBytes: number) {
    this.#gpu = gpu;
    this.options = options;
    this.kernel = kernel;
    this.pageBytes = pageBytes;
    this.#staged = new Uint32Array(options.maxCopies * 2);
    this.#pairs = gpu.buffer('page copies', this.#staged.byteLength);
  }

  /** @throws ReckonError `bad-option` for a shape the kernel cannot serve or more copies than one dispatch may have. */
  static async create(gpu: Gpu, options: KvCopyOptions, precisions: Precisions): Promise<KvCopy> {
    const { kvHeads, headDim, maxCopies, summaryBytes = 0 } = options;
    checkAttentionShape({ heads: kvHeads, kvHeads, headDim });
    const max = gpu.profile.limits.maxComputeWorkgroupsPerDimension;
    checkNumber('maxCopies', maxCopies, { min: 1, max, integer: true });
    const pageBytes = kvHeads * PAGE_SIZE * kvHeadBytes(headDim, precisions.kv);
    const kernel = await gpu.kernel({
      module: 'kv/copy',
      bindings: ['read', 'write', 'write', ...(summaryBytes > 0 ? (['write'] as const) : [])],
      constants: { VECTORS: pageBytes / 16, SUMMARY_VECTORS: summaryBytes / 16, THREADS },
      conditions: { summaries: summaryBytes > 0 },
    });
    return new KvCopy(gpu, options, kernel, pageBytes);
  }

  /**
   * Uploads the list that the next recorded copies work on. Once a submission: a second upload before it would overwrite
   * the first.
   * @throws ReckonError `limit-exceeded` when the list is longer than `maxCopies`.
   */
  upload(pairs: readonly PagePair[]): void {
    const { maxCopies } = this.options;
    if (pairs.length > maxCopies) {
      throw new ReckonError('limit-exceeded', `A step wants ${pairs.length} page copies; it can have ${maxCopies}.`);
    }
    if (pairs.length === 0) return;
    let at = 0;
    for (const { source, target } of pairs) {
      this.#staged[at++] = source;
      this.#staged[at++] = target;
    }
    this.#gpu.device.queue.writeBuffer(this.#pairs, 0, this.#staged, 0, at);
  }

  /** The copies of one layer. */
  bind(gpu: Gpu, { keys, values, summaries }: CopiedBuffers): BoundKvCopy {
    const optional = summaries ? [summaries] : [];
    return new BoundKvCopy(this, gpu.bind(this.kernel, [this.#pairs, keys, values, ...optional]));
  }

  /** Frees the list. */
  dispose(): void {
    this.#gpu.free(this.#pairs);
  }
}

/** One layer's copies with its buffers. */
export class BoundKvCopy {
  readonly #copy: KvCopy;
  readonly #bindings: GPUBindGroup;

  constructor(copy: KvCopy, bindings: GPUBindGroup) {
    this.#copy = copy;
    this.#bindings = bindings;
  }

  /** @param count length of the uploaded list */
  record(step: StepRecorder, count: number): void {
    if (count === 0) return;
    const { kernel, pageBytes, options } = this.#copy;
    const bytes = 2 * (2 * pageBytes + (options.summaryBytes ?? 0)) * count;
    const grid = [Math.ceil(pageBytes / 16 / THREADS), count] as const;
    step.dispatch(kernel, this.#bindings, grid, 'kvWrite', 'rows', 0, bytes);
  }
}
