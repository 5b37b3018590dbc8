/** A model on this device as a source of files. */
import { ReckonError, throwIfAborted } from '../../errors.ts';
import { type CheckpointSource, checkPath, checkRange, emptyStream, missingFileError } from '../source.ts';
import type { Disk, DiskReader } from './disk.ts';
import { FILES } from './entry.ts';
import type { StoredModel } from './types.ts';

/** Most bytes of one read, where the reader has no buffer of its own. */
const READ_BYTES = 1 << 20;

/**
 * A stream whose bytes `fill` puts where they are wanted: into the buffer of a reader that brings one ("byob"), or into new
 * ones, as in browsers without byte streams.
 * @param close called once, when the stream has ended, failed or been left.
 */
function filledStream(
  fill: (target: Uint8Array) => Promise<{ length: number; last: boolean }>,
  close: () => Promise<void>,
): ReadableStream<Uint8Array> {
  async function step(target: Uint8Array): Promise<{ length: number; last: boolean }> {
    try {
      const filled = await fill(target);
      if (filled.last) await close();
      return filled;
    } catch (error) {
      await close().catch(() => {});
      throw error;
    }
  }
  try {
    return new ReadableStream({
      type: 'bytes',
      autoAllocateChunkSize: READ_BYTES,
      async pull(controller) {
        // With an automatic size there is always a view to fill.
        const request = controller.byobRequest!;
        const { buffer, byteOffset, byteLength } = request.view!;
        const { length, last } = await step(new Uint8Array(buffer, byteOffset, byteLength));
        request.respond(length);
        if (last) controller.close();
      },
      cancel: close,
    });
  } catch {
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const bytes = new Uint8Array(READ_BYTES);
          const { length, last } = await step(bytes);
          controller.enqueue(bytes.subarray(0, length));
          if (last) controller.close();
        },
        cancel: close,
      },
      { highWaterMark: 0 },
    );
  }
}

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
    list: async () => [...sizes.keys()],
    has: async (path) => sizes.has(checkPath(path)),
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
      const fill = async (target: Uint8Array) => {
        const length = await reader.read(target.subarray(0, end - position), position);
        if (length === 0) throw new ReckonError('storage', `${JSON.stringify(path)} ended early.`);
        position += length;
        return { length, last: position >= end };
      };
      return filledStream(fill, () => reader.close());
    },
  };
}
