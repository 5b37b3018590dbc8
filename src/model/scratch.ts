/** How much GPU memory a decoder takes beside weights and KV: activations, logits, partial attention results, selections. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { StepLimits } from '../kernels/step.ts';

type Widths = Pick<
  ModelConfig,
  'hiddenSize' | 'intermediateSize' | 'heads' | 'kvHeads' | 'headDim' | 'vocabSize' | 'maxContext'
> & {
  readonly experts?: { readonly count: number; readonly active: number; readonly intermediateSize: number };
};

const FLOAT = 4;

/**
 * Bytes of working memory, to a tenth or so: what `Decoder.create` allocates with these limits, the KV cache aside. Sampling
 * state and the step's tables, kilobytes, are left out.
 */
export function scratchBytes(widths: Widths, limits: StepLimits): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize, experts } = widths;
  const queries = heads * headDim;
  const qkv = queries + 2 * kvHeads * headDim;
  // A row has its inner numbers and, by expert, its input and what became of it, for every expert that it goes to.
  const inner = experts
    ? experts.active * (experts.intermediateSize + 2 * hiddenSize) + experts.count
    : intermediateSize;
  const rows = limits.maxRows * (2 * hiddenSize + qkv + 2 * queries + inner);
  const partials = limits.maxItems * heads * (headDim + 4);
  const logits = limits.maxLogitRows * vocabSize;
  const selections = limits.maxListEntries + limits.maxScores;
  return FLOAT * (rows + partials + logits + selections);
}
