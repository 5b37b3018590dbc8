/** Two short kernels that measure a device: arithmetic and memory. See shaders/probe/. */
import type { Gpu, Kernel, Recorder } from '../gpu/index.ts';

/** A probe: one dispatch of known work. */
export interface Probe {
  /** FLOPs or bytes of one dispatch. */
  readonly work: number;
  record(recorder: Recorder): void;
  dispose(): void;
}

const GROUP = 64;
const OUT_VECTORS = 4096;
const FLOPS_PER_ROUND = 2 * 4 * 8;

/** Fused multiply-adds in f32 or f16 (which the device must have), over `groups` workgroups of 64. */
export async function computeProbe(gpu: Gpu, half: boolean, groups: number, rounds: number): Promise<Probe> {
  const kernel = await gpu.kernel({
    module: 'probe/compute',
    bindings: ['write'],
    constants: { ROUNDS: rounds },
    conditions: { half },
  });
  const out = gpu.buffer('compute probe', OUT_VECTORS * 16);
  return probe(gpu, kernel, [out], groups, groups * GROUP * rounds * FLOPS_PER_ROUND);
}

/** Reads `bytes` (rounded down to whole turns of the grid) of memory once. */
export async function readProbe(gpu: Gpu, bytes: number, groups: number): Promise<Probe> {
  const threads = groups * GROUP;
  const vectors = Math.max(1, Math.floor(bytes / 16 / (4 * threads))) * 4 * threads;
  const kernel = await gpu.kernel({
    module: 'probe/read',
    bindings: ['read', 'write'],
    constants: { VECTORS: vectors, THREADS: threads },
    conditions: {},
  });
  const data = gpu.buffer('read probe', vectors * 16);
  const out = gpu.buffer('read probe sums', OUT_VECTORS * 16);
  return probe(gpu, kernel, [data, out], groups, vectors * 16);
}

function probe(gpu: Gpu, kernel: Kernel, buffers: GPUBuffer[], groups: number, work: number): Probe {
  const bindings = gpu.bind(kernel, buffers);
  return {
    work,
    record: (recorder) => recorder.dispatch(kernel, bindings, [groups]),
    dispose: () => {
      for (const buffer of buffers) gpu.free(buffer);
    },
  };
}
