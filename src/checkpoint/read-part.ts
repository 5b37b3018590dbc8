/** A part of a file, whole in memory. */
import { ByteReader } from './byte-reader.ts';
import type { CheckpointSource } from './source.ts';

/** Bytes `start` to `end` of a file, or as many as there are. Grows with what arrives, not with what is claimed. */
export async function readPart(
  source: CheckpointSource,
  file: string,
  start: number,
  end: number,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const reader = new ByteReader(
    await source.open(file, { start, end, ...(signal ? { signal } : {}) }),
    `Reading ${file}`,
    signal,
  );
  try {
    return await reader.upTo(end - start);
  } finally {
    await reader.close();
  }
}
