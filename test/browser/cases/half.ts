/** Runs in a page whose GPU has f16: every kernel case, and the embedded model from weights to greedy tokens. */
import { filesSource } from '../../../src/checkpoint/index.ts';
import { type Gpu, openGpu } from '../../../src/gpu/index.ts';
import { defaultTuning } from '../../../src/kernels/matmul.ts';
import { type GoldenCase, type GoldenReport, runGolden, runHarmed } from '../../engine/cases/golden.ts';
import { checkAttentionShapes } from '../../kernels/cases/attention.ts';
import { checkEmbedAll } from '../../kernels/cases/embed.ts';
import { checkExpertsAll } from '../../kernels/cases/experts.ts';
import { checkKvCopy } from '../../kernels/cases/kv-copy.ts';
import { checkMatmul, checkQuantizedMatmul, SLICED, SLICED_SMALL } from '../../kernels/cases/matmul.ts';
import { F16 } from '../../kernels/cases/matrix-support.ts';
import { checkNormAll } from '../../kernels/cases/norm.ts';
import { checkPackAll, checkPackQuantized } from '../../kernels/cases/pack.ts';
import { checkRopeAppendShapes } from '../../kernels/cases/rope.ts';
import { checkAgainstDefinition, checkForced, checkKeptSets, checkRandomBits } from '../../kernels/cases/sample.ts';

/** What can be asked for by name. Each throws where a kernel is wrong. */
const CHECKS: Record<string, (gpu: Gpu) => Promise<unknown>> = {
  attention: (gpu) => checkAttentionShapes(gpu, 'f16'),
  embed: checkEmbedAll,
  'kv-copy': (gpu) => checkKvCopy(gpu, { kvHeads: 2, headDim: 24, precision: 'f16', pages: 9, copies: 4, seed: 1 }),
  matmul: async (gpu) => {
    for (const epilogue of ['store', 'add', 'swiglu'] as const) {
      const shape = { inputs: 132, outputs: 70, epilogue, bias: epilogue === 'store', rows: 'rows' } as const;
      // Tunings that cut K alike agree bit for bit.
      for (const tunings of [[defaultTuning(gpu.profile)], [SLICED, SLICED_SMALL]]) {
        await checkMatmul(gpu, { ...shape, format: F16, seed: 1, tunings, counts: [1, 3, 17, 40] });
      }
    }
  },
  norm: checkNormAll,
  pack: checkPackAll,
  'quantised: pack': checkPackQuantized,
  'quantised: matmul': checkQuantizedMatmul,
  'quantised: experts': checkExpertsAll,
  rope: (gpu) => checkRopeAppendShapes(gpu, 'f16'),
  'sample: random bits': checkRandomBits,
  'sample: kept sets': checkKeptSets,
  'sample: given tokens': (gpu) => checkForced(gpu, 300),
  'sample: draws': (gpu) => checkAgainstDefinition(gpu, 300, 8),
};

export const checkNames = (): string[] => Object.keys(CHECKS);

async function withGpu<T>(work: (gpu: Gpu) => Promise<T>): Promise<T> {
  const gpu = await openGpu();
  try {
    if (!gpu.profile.features.f16) throw new Error(`${gpu.profile.name} has no f16.`);
    const result = await work(gpu);
    if (gpu.failure) throw gpu.failure;
    return result;
  } finally {
    gpu.close();
  }
}

export function runCheck(name: string): Promise<void> {
  return withGpu(async (gpu) => {
    await CHECKS[name]!(gpu);
  });
}

/** The checkpoint's files in base64, by name. */
type Files = Record<string, string>;

function sourceOf(files: Files) {
  const list = Object.entries(files).map(([name, base64]) => {
    const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
    return new File([bytes], name);
  });
  return filesSource(list);
}

const HALF = { weights: 'f16', kv: 'f16' } as const;

export function golden(files: Files, cases: GoldenCase[], longest: number): Promise<GoldenReport> {
  return withGpu((gpu) => runGolden(gpu, sourceOf(files), HALF, cases, { longest }));
}

export async function harmed(files: Files, cases: GoldenCase[], harm: 'lose' | 'refuse', steps: number) {
  return runHarmed(await openGpu(), sourceOf(files), HALF, cases, harm, steps);
}
