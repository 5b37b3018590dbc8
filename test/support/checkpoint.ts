/** Checkpoints for tests: in memory, with faults where a test wants them, and the embedded one. */
import { fileURLToPath } from 'node:url';
import type { CheckpointSource } from '../../src/checkpoint/index.ts';
import { directorySource } from '../../src/checkpoint/node.ts';
import { missingFileError } from '../../src/checkpoint/source.ts';

/** The embedded model's folder. */
export function protoSource(): CheckpointSource {
  return directorySource(fileURLToPath(new URL('../../models/proto', import.meta.url)));
}

export interface OpenedPart {
  path: string;
  start: number;
  end: number;
  cancelled: boolean;
  bytesGiven: number;
}

export interface MemorySource extends CheckpointSource {
  /** Every part that was opened, in order. */
  readonly opened: OpenedPart[];
}

/**
 * A source over bytes in memory.
 * @param options.chunk Bytes per chunk of a stream (default: 1,000, so that no boundary is convenient).
 * @param options.size What `size` answers instead of the truth.
 */
export function memorySource(
  files: Record<string, Uint8Array | string>,
  options: { chunk?: number; size?: (path: string, bytes: number) => number | undefined } = {},
): MemorySource {
  const { chunk = 1000 } = options;
  const byPath = new Map(
    Object.entries(files).map(([path, data]) => [
      path,
      typeof data === 'string' ? new TextEncoder().encode(data) : data,
    ]),
  );
  const opened: OpenedPart[] = [];
  const find = (path: string) => {
    const bytes = byPath.get(path);
    if (!bytes) throw missingFileError('memory', path);
    return bytes;
  };
  return {
    name: 'memory',
    opened,
    text: async (path) => new TextDecoder().decode(find(path)),
    has: async (path) => byPath.has(path),
    size: async (path) => (options.size ? options.size(path, find(path).length) : find(path).length),
    async open(path, { start = 0, end = Number.POSITIVE_INFINITY } = {}) {
      const bytes = find(path);
      const part: OpenedPart = { path, start, end, cancelled: false, bytesGiven: 0 };
      opened.push(part);
      let position = start;
      const stop = Math.min(end, bytes.length);
      return new ReadableStream<Uint8Array>(
        {
          pull(controller) {
            if (position >= stop) return controller.close();
            const piece = bytes.slice(position, Math.min(stop, position + chunk));
            position += piece.length;
            part.bytesGiven += piece.length;
            controller.enqueue(piece);
          },
          cancel() {
            part.cancelled = true;
          },
        },
        { highWaterMark: 0 },
      );
    },
  };
}

/** Bytes of a safetensors file from its header's JSON and as many zero bytes of data. */
export function safetensorsFile(header: unknown, dataBytes: number): Uint8Array {
  const json = new TextEncoder().encode(typeof header === 'string' ? header : JSON.stringify(header));
  const file = new Uint8Array(8 + json.length + dataBytes);
  new DataView(file.buffer).setBigUint64(0, BigInt(json.length), true);
  file.set(json, 8);
  return file;
}

/** Reads a stream to its end. */
export async function drain(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  return new Uint8Array(await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer());
}

/** The error that a call throws or rejects with. Fails when there is none. */
export async function errorOf(call: () => unknown): Promise<Error> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('Nothing was thrown.');
}
