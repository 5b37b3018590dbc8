/**
 * What can be chosen: the embedded models, the makers' own checkpoints, and what web-llm publishes in its format. Nothing here
 * is fetched; any other repository, URL or folder loads as well.
 */
import { CATALOGUE as SHAPES } from '../cost/catalogue.ts';
import { ReckonError } from '../errors.ts';
import { storedBytes } from './bytes.ts';
import { familyOf } from './families.ts';
import type { CatalogueModel, StoredAs } from './types.ts';
import published from './web-llm.json' with { type: 'json' };

const OWN = { name: 'Apache-2.0', url: 'https://www.apache.org/licenses/LICENSE-2.0' };

/** Makers' repositories, in the order in which they are shown. Those of Llama are gated. */
const ORIGINALS: readonly string[] = [
  'Qwen/Qwen3-0.6B',
  'Qwen/Qwen3-1.7B',
  'Qwen/Qwen3-4B',
  'Qwen/Qwen3-8B',
  'deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B',
  'deepseek-ai/DeepSeek-R1-Distill-Qwen-7B',
  'deepseek-ai/DeepSeek-R1-Distill-Llama-8B',
  'meta-llama/Llama-3.2-1B-Instruct',
  'meta-llama/Llama-3.2-3B-Instruct',
  'HuggingFaceTB/SmolLM2-135M-Instruct',
  'HuggingFaceTB/SmolLM2-360M-Instruct',
  'HuggingFaceTB/SmolLM2-1.7B-Instruct',
];

const MLC_ID = /^(.+)-(q\df\d+(?:_1)?)-MLC$/;

function shapeNamed(name: string | null) {
  return SHAPES.find((shape) => shape.name === name) ?? null;
}

function embedded(): CatalogueModel[] {
  return SHAPES.filter(({ source }) => source.startsWith('models/')).map((shape) => ({
    id: shape.name,
    model: shape.name,
    kind: 'embedded',
    source: shape.source,
    format: 'safetensors',
    stored: 'f16',
    architecture: 'Qwen3ForCausalLM',
    shape,
    downloadBytes: storedBytes(shape, 'f16'),
    context: shape.maxContext,
    licence: OWN,
    gated: false,
    thinks: true,
    webLlm: null,
  }));
}

/** What the name of a model tells, filled in. */
function described(model: string, stored: StoredAs) {
  const family = familyOf(model);
  const shape = shapeNamed(family?.shape ?? null);
  return {
    model,
    stored,
    architecture: family?.architecture ?? null,
    shape,
    downloadBytes: shape ? storedBytes(shape, stored) : null,
    context: family?.context ?? shape?.maxContext ?? 4096,
    thinks: family?.thinks ?? false,
    licence: family?.licence,
  };
}

function originals(): CatalogueModel[] {
  return ORIGINALS.map((source) => {
    const id = source.slice(source.indexOf('/') + 1);
    const { licence, ...facts } = described(id, 'bf16');
    return {
      ...facts,
      id,
      kind: 'repository',
      source,
      format: 'safetensors',
      licence: licence ?? { name: 'see its page', url: `https://huggingface.co/${source}` },
      gated: source.startsWith('meta-llama/'),
      webLlm: null,
    };
  });
}

function mlc(): CatalogueModel[] {
  return published.models.flatMap(({ id, repository, memoryMB, context, ...rest }) => {
    const [, model, stored] = MLC_ID.exec(id) ?? [];
    // Models that also see are for another kind of page.
    if (model === undefined || /vision/i.test(model)) return [];
    const { licence, ...facts } = described(model, stored as StoredAs);
    return [
      {
        ...facts,
        // Where only web-llm runs it, its compiled program bounds the context.
        context: facts.shape ? facts.context : context,
        id,
        kind: 'repository',
        source: repository,
        format: 'mlc',
        licence: licence ?? { name: 'see its page', url: `https://huggingface.co/${repository}` },
        gated: false,
        webLlm: { id, memoryMB, needsF16: 'f16' in rest },
      } satisfies CatalogueModel,
    ];
  });
}

/** All of it: embedded first, then by family as the makers order them. */
export const MODELS: readonly CatalogueModel[] = [...embedded(), ...originals(), ...mlc()];

/** The entry that `name` means: its id, its repository, or null. Case does not matter. */
export function findModel(name: string): CatalogueModel | null {
  const wanted = name.trim().toLowerCase();
  return MODELS.find(({ id, source }) => id.toLowerCase() === wanted || source.toLowerCase() === wanted) ?? null;
}

/** @throws ReckonError `bad-option` naming the entries that come near. */
export function modelNamed(name: string): CatalogueModel {
  const found = findModel(name);
  if (found) return found;
  const words = name
    .toLowerCase()
    .split(/[^a-z0-9.]+/)
    .filter((word) => word !== '');
  const near = MODELS.filter(({ id }) => words.every((word) => id.toLowerCase().includes(word))).slice(0, 12);
  throw new ReckonError('bad-option', `The catalogue has no model ${JSON.stringify(name.slice(0, 80))}.`, {
    hint:
      near.length > 0 ? `Near it: ${near.map(({ id }) => id).join(', ')}.` : 'Any repository "owner/name" loads too.',
    details: { name },
  });
}
