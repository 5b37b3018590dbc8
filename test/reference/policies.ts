/** Which positions a decoded row attends to, written from the definitions in docs/sparse-attention.md, in float64. */

export type ReferencePolicy = {
  denseLayers?: readonly number[];
  sinks?: number;
  local?: number;
} & (
  | { kind: 'dense' }
  | { kind: 'window'; local: number }
  | { kind: 'tokenTopK'; budget: number }
  | { kind: 'blockTopK'; budget: number; blockSize?: number; summary?: 'mean' | 'minmax' }
);

const PAGE = 16;
const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from) }, (_, i) => from + i);
const dot = (a: readonly number[], b: readonly number[]) => a.reduce((sum, x, i) => sum + x * b[i]!, 0);
const mean = (rows: readonly (readonly number[])[]) =>
  rows[0]!.map((_, i) => rows.reduce((sum, row) => sum + row[i]!, 0) / rows.length);

/** What no key of the page scores above: every channel at whichever end of its range suits the query. */
function bound(query: readonly number[], page: readonly (readonly number[])[]): number {
  return query.reduce((sum, x, i) => {
    const channel = page.map((key) => x * key[i]!);
    return sum + Math.max(...channel);
  }, 0);
}

/**
 * @param queries of the heads that share the KV head, [headDim] each
 * @param keys that head's keys of all positions up to the row's own
 * @returns positions, ascending
 */
export function attendedPositions(
  policy: ReferencePolicy,
  layer: number,
  queries: readonly (readonly number[])[],
  keys: readonly (readonly number[])[],
): number[] {
  const n = keys.length;
  const { sinks = 4, local = 0, denseLayers = [0] } = policy;
  if (policy.kind === 'dense' || denseLayers.includes(layer)) return range(0, n);
  const size = policy.kind === 'tokenTopK' ? 1 : policy.kind === 'window' ? PAGE : (policy.blockSize ?? PAGE);
  const firstCandidate = Math.ceil(sinks / size);
  const afterCandidates = Math.floor((n - Math.max(1, local)) / size);
  const count = policy.kind === 'window' ? 0 : policy.budget / size;
  const candidates = range(firstCandidate, afterCandidates);
  if (candidates.length <= count) return range(0, n);
  const query = mean(queries);
  const score = (block: number) => {
    const own = keys.slice(block * size, (block + 1) * size);
    if (policy.kind === 'blockTopK' && policy.summary === 'minmax' && size >= PAGE) {
      return Math.max(...range(0, size / PAGE).map((page) => bound(query, own.slice(page * PAGE, (page + 1) * PAGE))));
    }
    return dot(query, mean(own));
  };
  const best = candidates
    .map((block) => ({ block, score: score(block) }))
    .sort((a, b) => b.score - a.score || a.block - b.block)
    .slice(0, count)
    .map(({ block }) => block)
    .sort((a, b) => a - b);
  return [
    ...range(0, firstCandidate * size),
    ...best.flatMap((block) => range(block * size, (block + 1) * size)),
    ...range(afterCandidates * size, n),
  ];
}
