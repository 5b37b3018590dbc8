/** What is known of a model by its name: whose shape it has, which architecture it is, and under which licence it comes. */
import type { Licence } from './types.ts';

export interface Family {
  /** Names of the family, without format and quantisation. */
  readonly names: RegExp;
  /** Its entry in the cost catalogue ($1 … are the pattern's groups); null: not one that the decoder knows. */
  readonly shape: string | null;
  readonly architecture: string | null;
  readonly licence: Licence;
  /** Longest sequence, where it is not the shape's. */
  readonly context?: number;
  readonly thinks?: boolean;
}

const card = (repository: string) => `https://huggingface.co/${repository}`;
const apache: Licence = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };
const mit: Licence = { name: 'MIT', url: 'https://opensource.org/license/mit' };
const qwenResearch: Licence = { name: 'Qwen Research', url: card('Qwen/Qwen2.5-3B-Instruct/blob/main/LICENSE') };
const gemma: Licence = { name: 'Gemma Terms of Use', url: 'https://ai.google.dev/gemma/terms' };
const llama = (version: string): Licence => ({
  name: `Llama ${version.replace('_', '.')} Community`,
  url: `https://www.llama.com/llama${version}/license/`,
});

const QWEN2 = 'Qwen2ForCausalLM';
const LLAMA = 'LlamaForCausalLM';
const MISTRAL = { shape: 'Mistral-7B-Instruct-v0.3', architecture: 'MistralForCausalLM', licence: apache } as const;
const PHI3 = { architecture: 'Phi3ForCausalLM', licence: mit } as const;
const LLAMA_8B = { shape: 'Llama-3.1-8B', architecture: LLAMA } as const;
const UNKNOWN = { shape: null, architecture: null } as const;

/** The first that matches is meant. */
export const FAMILIES: readonly Family[] = [
  { names: /^Qwen3-(\d[\d.]*B)$/, shape: 'Qwen3-$1', architecture: 'Qwen3ForCausalLM', licence: apache, thinks: true },
  { names: /^Qwen2\.5(-Coder)?-3B-Instruct$/, shape: 'Qwen2.5-3B', architecture: QWEN2, licence: qwenResearch },
  {
    names: /^Qwen2(?:\.5)?-Math-([\d.]+B)-Instruct$/,
    shape: 'Qwen2.5-$1',
    architecture: QWEN2,
    licence: apache,
    context: 4096,
  },
  { names: /^Qwen2(?:\.5)?(?:-Coder)?-([\d.]+B)-Instruct$/, shape: 'Qwen2.5-$1', architecture: QWEN2, licence: apache },
  { names: /^(DeepSeek-R1-Distill-Qwen-[\d.]+B)$/, shape: '$1', architecture: QWEN2, licence: mit, thinks: true },
  {
    names: /^(DeepSeek-R1-Distill-Llama-\d+B)$/,
    shape: '$1',
    architecture: LLAMA,
    licence: llama('3_1'),
    thinks: true,
  },
  { names: /^(?:Hermes-3-)?(Llama-3\.2-\dB)(?:-Instruct)?$/, shape: '$1', architecture: LLAMA, licence: llama('3_2') },
  { names: /^(?:Hermes-3-)?(Llama-3\.1-\d+B)(?:-Instruct)?$/, shape: '$1', architecture: LLAMA, licence: llama('3_1') },
  { names: /^(?:Hermes-2-\w+-)?Llama-3-8B(?:-Instruct)?$/, ...LLAMA_8B, licence: llama('3'), context: 8192 },
  { names: /^Llama-3-70B-Instruct$/, shape: 'Llama-3.1-70B', architecture: LLAMA, licence: llama('3'), context: 8192 },
  { names: /^(Llama-2-7b-chat-hf)$/, shape: '$1', architecture: LLAMA, licence: llama('2') },
  { names: /^(SmolLM2-[\d.]+[MB])-Instruct$/, shape: '$1', architecture: LLAMA, licence: apache },
  { names: /^TinyLlama-1\.1B-/, shape: 'TinyLlama-1.1B-Chat-v1.0', architecture: LLAMA, licence: apache },
  { names: /^Phi-3\.5-mini-instruct$/, shape: 'Phi-3.5-mini-instruct', ...PHI3 },
  { names: /^Phi-3-mini-4k-instruct$/, shape: 'Phi-3.5-mini-instruct', ...PHI3, context: 4096 },
  { names: /^Phi-4-mini-instruct$/, shape: 'Phi-4-mini-instruct', ...PHI3 },
  { names: /Mistral-7B|^WizardMath-7B/, ...MISTRAL },
  // From here on web-llm alone.
  { names: /^Qwen3\.5-/, ...UNKNOWN, licence: apache, thinks: true },
  { names: /^Ministral-3-.*Reasoning/, ...UNKNOWN, licence: apache, thinks: true },
  { names: /^(OLMo|RedPajama|Ministral)-/, ...UNKNOWN, licence: apache },
  { names: /^gemma/, ...UNKNOWN, licence: gemma },
  { names: /^phi-/, ...UNKNOWN, licence: mit },
  { names: /^Llama-2-/, ...UNKNOWN, licence: llama('2') },
];

/** What is known of the model of that name; its shape's name filled in. */
export function familyOf(model: string): Family | null {
  const family = FAMILIES.find(({ names }) => names.test(model));
  if (!family) return null;
  const match = family.names.exec(model);
  const shape = family.shape?.replace(/\$(\d)/g, (_, group: string) => match?.[Number(group)] ?? '') ?? null;
  return { ...family, shape };
}
