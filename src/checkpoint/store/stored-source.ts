/** A model on this device as a source of files. */
import { ReckonError, throwIfAborted } from '../../errors.ts';
import { type CheckpointSource, checkPath, checkRange, emptyStream, missingFileError } from '../source.ts';
import type { Disk, DiskReader } from './disk.ts';
import { FILES } from './entry.ts';
import type { StoredModel } from './types.ts';

/** Most bytes of one read, where the reader has no buffer of its own. */
const READ_BYTES = 1 << 20;

/**
 * Reads a complete model from the disk. Its streams are byte streams: a reader with a buffer of its own ("byob") gets every
 * byte in that, and memory stays as it is however large the model.
 * @throws ReckonError `storage` from its methods, when the model was deleted meanwhile, or the disk fails.
 */
export function storedSource(disk: Disk, model: StoredModel): CheckpointSource {
  const sizes = new Map(model.files.map(({ path, size, bytes }) => [path, size ?? bytes]));

  async function open(path: string): Promise<DiskReader> {
    const size = sizes.get(checkPath(path));
    if (size === undefined) throw missingFileError(model.name, path);
    const reader = await disk.reader(`${model.key}/${FILES}/${path}`);
    if (reader?.size === size) return reader;
    await reader?.close();
    throw new ReckonError('storage', `${JSON.stringify(path)} of ${model.name} is no longer as it was stored.`, {
      hint: 'It was deleted or changed from outside: delete the model and download it again.',
      details: { key: model.key, path, size: reader?.size ?? null, expected: size },
    });
  }

  return {
    name: model.name,
    ...(model.revision === null ? {} : { revision: model.revision }),
    has: async (path) => sizes.has(checkPath(path)),
    list: async () => [...sizes.keys()],
    async size(path) {
      const size = sizes.get(checkPath(path));
      if (size === undefined) throw missingFileError(model.name, path);
      return size;
    },
    async text(path, { signal } = {}) {
      throwIfAborted(signal, `Reading ${path}`);
      const reader = await open(path);
      try {
        const bytes = new Uint8Array(reader.size);
        await reader.read(bytes, 0);
        return new TextDecoder().decode(bytes);
      } finally {
        await reader.close();
      }
    },
    async open(path, options = {}) {
      const { signal } = options;
      throwIfAborted(signal, `Reading ${path}`);
      const range = checkRange(options);
      const reader = await open(path);
      const end = Math.min(range.end, reader.size);
      let position = range.start;
      if (position >= end) {
        await reader.close();
        return emptyStream();
      }
      return new ReadableStream({
        type: 'bytes',
        autoAllocateChunkSize: READ_BYTES,
        async pull(controller) {
          // With an automatic size there is always a view to fill.
          const request = controller.byobRequest!;
          const view = request.view!;
          const room = new Uint8Array(view.buffer, view.byteOffset, Math.min(view.byteLength, end - position));
          try {
            const length = await reader.read(room, position);
            position += length;
            if (length === 0) throw new ReckonError('storage', `${JSON.stringify(path)} ended early.`);
            request.respond(length);
            if (position < end) return;
            await reader.close();
            controller.close();
          } catch (error) {
            await reader.close().catch(() => {});
            controller.error(error);
          }
        },
        cancel: () => reader.close(),
      });
    },
  };
}
