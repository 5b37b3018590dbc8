/** Which files of a repository make up the model: many hold the same weights in several formats. */
import { ReckonError } from '../../errors.ts';
import type { PublishedFile } from './publication.ts';

/** Read by name, where they are there. */
export const TEXT_FILES: readonly string[] = [
  'config.json',
  'generation_config.json',
  'tokenizer.json',
  'tokenizer_config.json',
  'special_tokens_map.json',
  'chat_template.jinja',
  'mlc-chat-config.json',
];
export const MLC_MANIFESTS: readonly string[] = ['tensor-cache.json', 'ndarray-cache.json'];
export const SAFETENSORS = 'model.safetensors';
export const SAFETENSORS_INDEX = 'model.safetensors.index.json';

const SHARD = /^model-\d{5}-of-\d{5}\.safetensors$/;
const MLC_SHARD = /^params_shard_\d+\.bin$/;

function kind(path: string): 'text' | 'safetensors' | 'mlc' | 'gguf' | null {
  if (TEXT_FILES.includes(path)) return 'text';
  if (path === SAFETENSORS || path === SAFETENSORS_INDEX || SHARD.test(path)) return 'safetensors';
  if (MLC_MANIFESTS.includes(path) || MLC_SHARD.test(path)) return 'mlc';
  return /\.gguf$/i.test(path) ? 'gguf' : null;
}

/** Of a model split over several files, what its parts have in common. */
function wholeName(path: string): string {
  return path.replace(/-\d{5}-of-\d{5}(?=\.gguf$)/i, '');
}

/**
 * The GGUF files of the model meant by a path or a part of a name ("Q4_K_M"): one, or the parts of one.
 * @throws ReckonError `bad-option` unless it is just one model.
 */
function chooseGguf(files: readonly PublishedFile[], wanted: string | null, name: string): PublishedFile[] {
  const part = wanted?.toLowerCase() ?? '';
  const exact = files.filter(({ path }) => path === wanted);
  const found = exact.length > 0 ? exact : files.filter(({ path }) => path.toLowerCase().includes(part));
  const models = [...new Set((found.length > 0 ? found : files).map(({ path }) => wholeName(path)))];
  if (found.length > 0 && models.length === 1) return files.filter(({ path }) => wholeName(path) === models[0]);
  const what =
    wanted === null
      ? `${name} holds ${models.length} models as GGUF`
      : `${name} has ${found.length > 0 ? `${models.length} models` : 'no GGUF file'} by ${JSON.stringify(wanted)}`;
  throw new ReckonError('bad-option', `${what}.`, {
    hint: `Name one behind a colon, such as "${name.split(':')[0]}:${models[0] ?? 'model.gguf'}". There are: ${models.join(', ')}.`,
    details: { files: models },
  });
}

/**
 * The files to fetch, small ones first, so that what is wrong with a model shows early.
 * @param wanted A GGUF file, by path or a part of its name; null: whatever format the repository has.
 * @param name For messages.
 * @throws ReckonError `bad-checkpoint` where there are no weights; `bad-option` where a choice is to be made.
 */
export function selectFiles(all: readonly PublishedFile[], wanted: string | null, name: string): PublishedFile[] {
  const of = (what: ReturnType<typeof kind>) => all.filter(({ path }) => kind(path) === what);
  const [text, gguf, mlc] = [of('text'), of('gguf'), of('mlc')];
  // Where a repository has both, the whole file and the parts are the same weights.
  const single = all.filter(({ path }) => path === SAFETENSORS);
  const safetensors = single.length > 0 ? single : of('safetensors');
  const weights =
    wanted !== null
      ? chooseGguf(gguf, wanted, name)
      : mlc.some(({ path }) => MLC_SHARD.test(path))
        ? mlc
        : safetensors.length > 0
          ? safetensors
          : gguf.length > 0
            ? chooseGguf(gguf, null, name)
            : [];
  if (weights.length === 0) {
    const others = all.map(({ path }) => path).filter((path) => /\.(bin|pt|pth|onnx|npz|msgpack|h5)$/i.test(path));
    throw new ReckonError('bad-checkpoint', `${name} holds no weights in a format that Reckon reads.`, {
      hint: `Those are safetensors, MLC shards and GGUF${others.length > 0 ? `; it has ${others.slice(0, 5).join(', ')}` : ''}.`,
      details: { missing: true },
    });
  }
  const size = (file: PublishedFile) => file.size ?? 0;
  const small = (file: PublishedFile) => /\.(json|jinja)$/.test(file.path);
  return [...text, ...weights].sort(
    (a, b) =>
      Number(small(b)) - Number(small(a)) ||
      (small(a) ? size(a) - size(b) : 0) ||
      a.path.localeCompare(b.path, 'en', { numeric: true }),
  );
}
