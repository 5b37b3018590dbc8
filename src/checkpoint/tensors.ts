/** Which tensors a config asks for, by their Hugging Face names. */
import { isMoeLayer, type ModelConfig } from './config.ts';

export interface ExpectedTensor {
  readonly name: string;
  /** Matrices are [outputs, inputs]. */
  readonly shape: readonly number[];
}

/** All tensors of a model, embedding first, then layer by layer, final norm and head last. */
export function expectedTensors(config: ModelConfig): ExpectedTensor[] {
  const { hiddenSize, intermediateSize, headDim, vocabSize } = config;
  const queries = config.heads * headDim;
  const keys = config.kvHeads * headDim;
  const tensors: ExpectedTensor[] = [];
  const add = (name: string, ...shape: number[]) => void tensors.push({ name, shape });

  add('model.embed_tokens.weight', vocabSize, hiddenSize);
  for (let layer = 0; layer < config.layers; layer++) {
    const prefix = `model.layers.${layer}.`;
    add(`${prefix}input_layernorm.weight`, hiddenSize);
    add(`${prefix}self_attn.q_proj.weight`, queries, hiddenSize);
    add(`${prefix}self_attn.k_proj.weight`, keys, hiddenSize);
    add(`${prefix}self_attn.v_proj.weight`, keys, hiddenSize);
    if (config.qkvBias) {
      add(`${prefix}self_attn.q_proj.bias`, queries);
      add(`${prefix}self_attn.k_proj.bias`, keys);
      add(`${prefix}self_attn.v_proj.bias`, keys);
    }
    if (config.qkNorm) {
      add(`${prefix}self_attn.q_norm.weight`, headDim);
      add(`${prefix}self_attn.k_norm.weight`, headDim);
    }
    add(`${prefix}self_attn.o_proj.weight`, hiddenSize, queries);
    add(`${prefix}post_attention_layernorm.weight`, hiddenSize);
    const feedForward = (place: string, size: number) => {
      add(`${place}.gate_proj.weight`, size, hiddenSize);
      add(`${place}.up_proj.weight`, size, hiddenSize);
      add(`${place}.down_proj.weight`, hiddenSize, size);
    };
    const { moe } = config;
    if (moe && isMoeLayer(config, layer)) {
      add(`${prefix}mlp.gate.weight`, moe.experts, hiddenSize);
      for (let expert = 0; expert < moe.experts; expert++)
        feedForward(`${prefix}mlp.experts.${expert}`, moe.intermediateSize);
    } else feedForward(`${prefix}mlp`, intermediateSize);
  }
  add('model.norm.weight', hiddenSize);
  if (!config.tiedEmbeddings) add('lm_head.weight', vocabSize, hiddenSize);
  return tensors;
}

/** Parameters of a model: elements of all its tensors. */
export function parameterCount(config: ModelConfig): number {
  return expectedTensors(config).reduce(
    (sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1),
    0,
  );
}
