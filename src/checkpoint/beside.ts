/** Scales and biases: what must be at hand before the codes of a matrix arrive, read for many matrices at once. */
import type { ReckonError } from '../errors.ts';
import { readPart } from './read-part.ts';
import type { CheckpointSource } from './source.ts';
import { type Span, type StoredTensor, storedBytes } from './stored.ts';

/** Bytes read at a time, unless one matrix takes more. */
const BATCH_BYTES = 32 << 20;
/** Spans this close are read in one go: the experts of a layer are rows of one tensor. */
const MAX_GAP = 1 << 12;

function besideBytes(stored: StoredTensor): number {
  const [main] = stored.spans;
  return storedBytes(stored) - (main.end - main.start);
}

/** Cuts a list of tensors into runs whose scales are read together. */
export function besideBatches<T extends { readonly stored: StoredTensor }>(tensors: readonly T[]): T[][] {
  const batches: T[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const tensor of tensors) {
    bytes += besideBytes(tensor.stored);
    if (bytes > BATCH_BYTES) {
      batches.push([]);
      bytes = besideBytes(tensor.stored);
    }
    batches.at(-1)!.push(tensor);
  }
  return batches;
}

/** Neighbouring spans joined; each with those it is made of. */
function joined(spans: readonly Span[]): { whole: Span; parts: Span[] }[] {
  const sorted = [...spans].sort((a, b) => (a.file < b.file ? -1 : a.file > b.file ? 1 : a.start - b.start));
  const groups: { whole: Span; parts: Span[] }[] = [];
  for (const span of sorted) {
    const last = groups.at(-1);
    if (last && last.whole.file === span.file && span.start - last.whole.end <= MAX_GAP) {
      last.whole = { ...last.whole, end: Math.max(last.whole.end, span.end) };
      last.parts.push(span);
    } else groups.push({ whole: span, parts: [span] });
  }
  return groups;
}

/**
 * Reads all spans but the first of these tensors.
 * @param ended Makes the error for a file that ends at byte `position`, within a span.
 * @returns the bytes by span; views of larger buffers.
 */
export async function readBeside(
  source: CheckpointSource,
  tensors: readonly StoredTensor[],
  ended: (span: Span, position: number) => ReckonError,
  signal: AbortSignal | undefined,
): Promise<ReadonlyMap<Span, Uint8Array>> {
  const found = new Map<Span, Uint8Array>();
  const spans = tensors.flatMap((tensor) => tensor.spans.slice(1));
  await Promise.all(
    joined(spans).map(async ({ whole, parts }) => {
      const bytes = await readPart(source, whole.file, whole.start, whole.end, signal);
      for (const span of parts) {
        if (span.end - whole.start > bytes.length) throw ended(span, whole.start + bytes.length);
        found.set(span, bytes.subarray(span.start - whole.start, span.end - whole.start));
      }
    }),
  );
  return found;
}
