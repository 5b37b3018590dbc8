/**
 * Shapes of published models, for costs without a checkpoint. Qwen3's dense sizes are those of the Kinetics digest; the
 * others follow the `config.json` of the Hugging Face repository named beside them, from memory, and are held by a test
 * against the parameter counts that the hub states for them.
 */
import { ReckonError } from '../errors.ts';
import type { ModelShape } from './shapes.ts';

export interface CatalogueEntry extends ModelShape {
  /** Hugging Face repository whose config this is; for the embedded models their folder in the package. */
  readonly source: string;
}

type Common = Pick<ModelShape, 'headDim' | 'vocabSize' | 'tiedEmbeddings' | 'qkNorm' | 'qkvBias' | 'maxContext'>;

/** layers, hidden size, feed-forward size, query heads, KV heads. */
type Sizes = readonly [number, number, number, number, number];

function entry(source: string, sizes: Sizes, common: Common, more: Partial<ModelShape> = {}): CatalogueEntry {
  const [layers, hiddenSize, intermediateSize, heads, kvHeads] = sizes;
  const name = source.slice(source.lastIndexOf('/') + 1);
  return { name, source, layers, hiddenSize, intermediateSize, heads, kvHeads, ...common, ...more };
}

const TIED = { tiedEmbeddings: true };

const QWEN3: Common = {
  headDim: 128,
  vocabSize: 151936,
  tiedEmbeddings: false,
  qkNorm: true,
  qkvBias: false,
  maxContext: 40960,
};

// The products are written as the authors wrote them: 2.03 * 1e9 is not 2030000000 in doubles.
const qwen3: readonly CatalogueEntry[] = [
  entry('Qwen/Qwen3-0.6B', [28, 1024, 3072, 16, 8], QWEN3, { ...TIED, codeParameters: 0.752 * 1e9 }),
  entry('Qwen/Qwen3-1.7B', [28, 2048, 6144, 16, 8], QWEN3, { ...TIED, codeParameters: 2.03 * 1e9 }),
  entry('Qwen/Qwen3-4B', [36, 2560, 9728, 32, 8], QWEN3, { ...TIED, codeParameters: 4.02 * 1e9 }),
  entry('Qwen/Qwen3-8B', [36, 4096, 12288, 32, 8], QWEN3, { codeParameters: 8.19 * 1e9 }),
  entry('Qwen/Qwen3-14B', [40, 5120, 17408, 40, 8], QWEN3, { codeParameters: 14.77 * 1e9 }),
  entry('Qwen/Qwen3-32B', [64, 5120, 25600, 64, 8], QWEN3, { codeParameters: 32.76 * 1e9 }),
  // Not in the authors' scripts; 3.3e9 active parameters is the model card's figure.
  entry('Qwen/Qwen3-30B-A3B', [48, 2048, 6144, 32, 4], QWEN3, {
    experts: { count: 128, active: 8, intermediateSize: 768 },
    codeParameters: 3.3 * 1e9,
  }),
];

const QWEN2: Common = {
  headDim: 128,
  vocabSize: 152064,
  tiedEmbeddings: false,
  qkNorm: false,
  qkvBias: true,
  maxContext: 32768,
};
const QWEN2_SMALL = { ...TIED, vocabSize: 151936 };

const qwen25: readonly CatalogueEntry[] = [
  entry('Qwen/Qwen2.5-0.5B', [24, 896, 4864, 14, 2], { ...QWEN2, headDim: 64 }, QWEN2_SMALL),
  entry('Qwen/Qwen2.5-1.5B', [28, 1536, 8960, 12, 2], QWEN2, QWEN2_SMALL),
  entry('Qwen/Qwen2.5-3B', [36, 2048, 11008, 16, 2], QWEN2, QWEN2_SMALL),
  entry('Qwen/Qwen2.5-7B', [28, 3584, 18944, 28, 4], QWEN2),
  entry('Qwen/Qwen2.5-14B', [48, 5120, 13824, 40, 8], QWEN2),
  entry('Qwen/Qwen2.5-32B', [64, 5120, 27648, 40, 8], QWEN2),
  entry('Qwen/Qwen2.5-72B', [80, 8192, 29568, 64, 8], QWEN2),
];

const LLAMA3: Common = {
  headDim: 128,
  vocabSize: 128256,
  tiedEmbeddings: false,
  qkNorm: false,
  qkvBias: false,
  maxContext: 131072,
};
const LLAMA_8B: Sizes = [32, 4096, 14336, 32, 8];
const LLAMA_70B: Sizes = [80, 8192, 28672, 64, 8];

const llama3: readonly CatalogueEntry[] = [
  entry('meta-llama/Llama-3.2-1B', [16, 2048, 8192, 32, 8], { ...LLAMA3, headDim: 64 }, TIED),
  entry('meta-llama/Llama-3.2-3B', [28, 3072, 8192, 24, 8], LLAMA3, TIED),
  entry('meta-llama/Llama-3.1-8B', LLAMA_8B, LLAMA3),
  entry('meta-llama/Llama-3.1-70B', LLAMA_70B, LLAMA3),
  entry('meta-llama/Llama-3.3-70B-Instruct', LLAMA_70B, LLAMA3),
  entry('meta-llama/Llama-3.1-405B', [126, 16384, 53248, 128, 8], LLAMA3),
];

const DISTILL: Common = { ...QWEN2, maxContext: 131072 };

const distill: readonly CatalogueEntry[] = [
  entry('deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B', [28, 1536, 8960, 12, 2], { ...DISTILL, vocabSize: 151936 }),
  entry('deepseek-ai/DeepSeek-R1-Distill-Qwen-7B', [28, 3584, 18944, 28, 4], DISTILL),
  entry('deepseek-ai/DeepSeek-R1-Distill-Qwen-14B', [48, 5120, 13824, 40, 8], DISTILL),
  entry('deepseek-ai/DeepSeek-R1-Distill-Qwen-32B', [64, 5120, 27648, 40, 8], DISTILL),
  entry('deepseek-ai/DeepSeek-R1-Distill-Llama-8B', LLAMA_8B, LLAMA3),
  entry('deepseek-ai/DeepSeek-R1-Distill-Llama-70B', LLAMA_70B, LLAMA3),
];

const SMOLLM2: Common = {
  headDim: 64,
  vocabSize: 49152,
  tiedEmbeddings: true,
  qkNorm: false,
  qkvBias: false,
  maxContext: 8192,
};

const smollm2: readonly CatalogueEntry[] = [
  entry('HuggingFaceTB/SmolLM2-135M', [30, 576, 1536, 9, 3], SMOLLM2),
  entry('HuggingFaceTB/SmolLM2-360M', [32, 960, 2560, 15, 5], SMOLLM2),
  entry('HuggingFaceTB/SmolLM2-1.7B', [24, 2048, 8192, 32, 32], SMOLLM2),
];

const PHI3: Common = { ...LLAMA3, headDim: 96, vocabSize: 32064 };

/** Others that web-llm publishes in its format. */
const others: readonly CatalogueEntry[] = [
  entry('mistralai/Mistral-7B-Instruct-v0.3', LLAMA_8B, { ...LLAMA3, vocabSize: 32768, maxContext: 32768 }),
  entry('microsoft/Phi-3.5-mini-instruct', [32, 3072, 8192, 32, 32], PHI3),
  entry('microsoft/Phi-4-mini-instruct', [32, 3072, 8192, 24, 8], { ...PHI3, headDim: 128, vocabSize: 200064 }, TIED),
  entry('TinyLlama/TinyLlama-1.1B-Chat-v1.0', [22, 2048, 5632, 32, 4], {
    ...LLAMA3,
    headDim: 64,
    vocabSize: 32000,
    maxContext: 2048,
  }),
  entry('meta-llama/Llama-2-7b-chat-hf', [32, 4096, 11008, 32, 32], { ...LLAMA3, vocabSize: 32000, maxContext: 4096 }),
];

/** The family that training/ makes. */
const RECKON: Common = { ...QWEN3, ...TIED, headDim: 32, vocabSize: 256, maxContext: 2048 };

const embedded: readonly CatalogueEntry[] = [
  entry('models/reckon-125k', [2, 64, 160, 4, 2], RECKON),
  entry('models/reckon-125k-rl', [2, 64, 160, 4, 2], RECKON),
  entry('models/reckon-250k', [4, 64, 192, 4, 2], RECKON),
  entry('models/reckon-1m', [5, 128, 384, 4, 2], RECKON),
  entry('models/reckon-2m', [5, 192, 576, 6, 2], RECKON),
  entry('models/proto', [4, 128, 384, 2, 1], { ...QWEN3, headDim: 64, vocabSize: 80, maxContext: 1024 }, TIED),
];

/** Names of the models that come with the package: the family, smallest first, then its forerunner. */
export const EMBEDDED_MODELS: readonly string[] = embedded.map(({ name }) => name);

/** The one that is loaded where nobody names another. */
export const DEFAULT_MODEL = 'reckon-2m';

export const CATALOGUE: readonly CatalogueEntry[] = [
  ...qwen3,
  ...distill,
  ...llama3,
  ...qwen25,
  ...smollm2,
  ...others,
  ...embedded,
];

/**
 * The entry of that name, in any case, with or without the repository's owner.
 * @throws ReckonError `bad-option` naming the entries that come near.
 */
export function catalogueEntry(name: string): CatalogueEntry {
  const wanted = name.toLowerCase();
  const found = CATALOGUE.find((item) => item.name.toLowerCase() === wanted || item.source.toLowerCase() === wanted);
  if (found) return found;
  const words = wanted.split(/[^a-z0-9.]+/).filter((word) => word !== '');
  const near = CATALOGUE.filter((item) => words.every((word) => item.name.toLowerCase().includes(word)));
  const shown = near.length > 0 ? near : CATALOGUE;
  throw new ReckonError('bad-option', `The catalogue has no model ${JSON.stringify(name.slice(0, 80))}.`, {
    hint: `${near.length > 0 ? 'Near it' : 'There are'}: ${shown.map((item) => item.name).join(', ')}.`,
    details: { name },
  });
}
