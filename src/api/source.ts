/** From what a caller names to a source of files. */
import { type CheckpointSource, filesSource, urlSource } from '../checkpoint/index.ts';
import { ReckonError } from '../errors.ts';
import type { ModelSource } from './types.ts';

/** True in Node and what behaves like it. */
export function inNode(): boolean {
  return typeof process !== 'undefined' && process.versions?.node !== undefined;
}

/**
 * A base URL, picked files, or in Node a folder by path or `file:` URL. Relative URLs are the page's.
 * @throws ReckonError `bad-option` for anything else.
 */
export async function sourceOf(source: ModelSource): Promise<CheckpointSource> {
  if (Array.isArray(source)) return filesSource(source as readonly File[]);
  if (!(typeof source === 'string' || source instanceof URL) || String(source).trim() === '') {
    throw new ReckonError('bad-option', `${JSON.stringify(source)} does not name a model.`, {
      hint: 'Give a base URL, the files of a checkpoint, or, in Node, the path of a folder.',
    });
  }
  const text = String(source);
  if (/^https?:/i.test(text)) return urlSource(text);
  if (inNode()) {
    const [{ directorySource }, { fileURLToPath }] = await Promise.all([
      import('../checkpoint/node.ts'),
      import('node:url'),
    ]);
    return directorySource(/^file:/i.test(text) ? fileURLToPath(text) : text);
  }
  return urlSource(new URL(text, globalThis.location?.href).href);
}
