/** Which tensor lies in which file: one `model.safetensors`, or many with an index. */
import { ReckonError } from '../errors.ts';
import { parseJson } from './json.ts';
import { quoted, readHeader, type SafetensorsHeader, type TensorInfo } from './safetensors.ts';
import { type CheckpointSource, checkPath, isMissingFile } from './source.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const MAX_SHARDS = 10_000;

/** All tensors of a checkpoint, every header read and checked. */
export interface CheckpointTensors {
  /** In the order they are read. */
  readonly files: readonly SafetensorsHeader[];
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/**
 * Reads the index, if there is one, and all headers.
 * @throws ReckonError `bad-checkpoint` when there are no weights, a shard is missing or damaged, or a tensor is not in the
 *   shard that the index names; `network`, `aborted`.
 */
export async function readTensorIndex(
  source: CheckpointSource,
  options: { signal?: AbortSignal } = {},
): Promise<CheckpointTensors> {
  if (await source.has(SINGLE)) {
    const header = await readHeader(source, SINGLE, options);
    return { files: [header], tensors: new Map(header.tensors.map((tensor) => [tensor.name, tensor])) };
  }
  let text: string;
  try {
    text = await source.text(INDEX, options);
  } catch (error) {
    if (!isMissingFile(error)) throw error;
    throw new ReckonError('bad-checkpoint', `${source.name} has neither ${SINGLE} nor ${INDEX}.`, {
      hint: 'Weights are read from .safetensors files; convert other formats first.',
      details: { source: source.name, missing: true },
      cause: error,
    });
  }
  const weightMap = parseIndex(text);
  const names = [...new Set(weightMap.values())].sort();
  const files = await Promise.all(
    names.map((name) =>
      readHeader(source, name, options).catch((error) => {
        throw isMissingFile(error) ? missingShard(name, weightMap, error) : error;
      }),
    ),
  );
  const byFile = new Map(
    files.map(({ file, tensors }) => [file, new Map(tensors.map((tensor) => [tensor.name, tensor]))]),
  );
  const tensors = new Map<string, TensorInfo>();
  for (const [name, file] of weightMap) {
    const tensor = byFile.get(file)?.get(name);
    if (!tensor) {
      throw new ReckonError(
        'bad-checkpoint',
        `${file} does not hold the tensor ${quoted(name)} that ${INDEX} places there.`,
        {
          hint: 'Index and shards belong to different versions: download all of them again.',
          details: { file, tensor: name },
        },
      );
    }
    tensors.set(name, tensor);
  }
  return { files, tensors };
}

function missingShard(file: string, weightMap: ReadonlyMap<string, string>, cause: unknown): ReckonError {
  const count = [...weightMap.values()].filter((value) => value === file).length;
  return new ReckonError(
    'bad-checkpoint',
    `The shard ${quoted(file)} is missing; ${INDEX} places ${count} tensors in it.`,
    {
      hint: 'Add the file beside the others.',
      details: { file, missing: true },
      cause,
    },
  );
}

/** `weight_map` of an index: tensor name to file. @throws ReckonError `bad-checkpoint`. */
export function parseIndex(text: string): Map<string, string> {
  const json = parseJson(text, INDEX);
  const map = json.weight_map;
  const fail = (what: string) =>
    new ReckonError('bad-checkpoint', `${INDEX}: ${what}.`, { hint: 'Download it again.', details: { file: INDEX } });
  if (typeof map !== 'object' || map === null || Array.isArray(map)) throw fail('"weight_map" is not an object');
  const entries = new Map<string, string>();
  for (const [name, file] of Object.entries(map)) {
    if (typeof file !== 'string') throw fail(`the file of ${quoted(name)} is not a string`);
    if (!checkPath(file).endsWith('.safetensors'))
      throw fail(`the file of ${quoted(name)} is ${quoted(file)}, not a .safetensors file`);
    entries.set(name, file);
  }
  if (entries.size === 0) throw fail('"weight_map" is empty');
  if (new Set(entries.values()).size > MAX_SHARDS) throw fail(`"weight_map" names more than ${MAX_SHARDS} files`);
  return entries;
}
