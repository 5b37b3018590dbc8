/** How much GPU memory a decoder takes beside weights and KV: activations, logits, partial attention results. */
import type { ModelConfig } from '../checkpoint/config.ts';
import type { StepLimits } from '../kernels/step.ts';

type Widths = Pick<
  ModelConfig,
  'hiddenSize' | 'intermediateSize' | 'heads' | 'kvHeads' | 'headDim' | 'vocabSize' | 'maxContext'
>;

const FLOAT = 4;

/**
 * Bytes of working memory, to a tenth or so: what `Decoder.create` allocates with these limits, the KV cache aside. Sampling
 * state and the step's tables, kilobytes, are left out.
 */
export function scratchBytes(widths: Widths, limits: StepLimits): number {
  const { hiddenSize, intermediateSize, heads, kvHeads, headDim, vocabSize } = widths;
  const queries = heads * headDim;
  const qkv = queries + 2 * kvHeads * headDim;
  const rows = limits.maxRows * (2 * hiddenSize + qkv + 2 * queries + intermediateSize);
  const partials = limits.maxItems * heads * (headDim + 4);
  const logits = limits.maxLogitRows * vocabSize;
  return FLOAT * (rows + partials + logits);
}
