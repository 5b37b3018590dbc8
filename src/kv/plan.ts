/** How large a KV cache to make. */
import { checkNumber, ReckonError } from '../errors.ts';
import { bytesText } from './words.ts';

export interface CacheNeeds {
  /** KV of one token over all layers, bytes; half of it keys. */
  kvBytesPerToken: number;
  /** What a page takes beside that, in buffers of its own, bytes. Default 0. */
  summaryBytesPerPage?: number;
  /** Tokens a page holds. */
  pageSize: number;
  /** Longest sequence the model allows, tokens. */
  maxContext: number;
  layers: number;
  /** Bytes the whole cache may take. */
  memoryBudgetBytes: number;
  /** Bytes one buffer may have: each layer has one for keys and one for values, or several, by KV heads, where one is too small. */
  maxBufferBytes: number;
  /** KV heads of a layer. Default 1: one buffer a layer, whatever its size. */
  kvHeads?: number;
  /** Lanes that will ever be held at once: more pages than their longest need are not made. Default: no bound. */
  maxLanes?: number;
}

export interface CachePlan {
  readonly totalPages: number;
  /** Buffers that a layer's keys lie in, and its values: the fewest that hold the pages, each with as many KV heads. */
  readonly parts: number;
  /** Of all layers' buffers together. */
  readonly bytes: number;
  /** Longest lane that the model allows and the cache holds, tokens. */
  readonly maxContext: number;
}

/**
 * As many pages as the budget and the buffer limit allow and the lanes can use.
 * @throws ReckonError `over-capacity` when the budget holds no page, `limit-exceeded` when a buffer does not.
 */
export function planCache(needs: CacheNeeds): CachePlan {
  const positive = { min: 1, integer: true };
  const kvBytesPerToken = checkNumber('kvBytesPerToken', needs.kvBytesPerToken, positive);
  const pageSize = checkNumber('pageSize', needs.pageSize, positive);
  const modelContext = checkNumber('maxContext', needs.maxContext, positive);
  const summaryBytes = checkNumber('summaryBytesPerPage', needs.summaryBytesPerPage ?? 0, { min: 0, integer: true });
  const layers = checkNumber('layers', needs.layers, positive);
  const budget = checkNumber('memoryBudgetBytes', needs.memoryBudgetBytes, { min: 0 });
  const maxBuffer = checkNumber('maxBufferBytes', needs.maxBufferBytes, { min: 0 });
  const kvHeads = checkNumber('kvHeads', needs.kvHeads ?? 1, positive);
  const maxLanes = checkNumber('maxLanes', needs.maxLanes ?? Number.POSITIVE_INFINITY, { min: 1 });

  const pageBytes = kvBytesPerToken * pageSize + summaryBytes;
  const layerBytes = (kvBytesPerToken * pageSize) / (2 * layers);
  if (budget < pageBytes) {
    throw new ReckonError(
      'over-capacity',
      `The KV cache may take ${bytesText(budget)}, and one page of ${pageSize} tokens takes ${bytesText(pageBytes)}.`,
      { hint: 'Give it more memory, or load a smaller model.', details: { budget, pageBytes } },
    );
  }
  const headBytes = layerBytes / kvHeads;
  if (maxBuffer < headBytes) {
    throw new ReckonError(
      'limit-exceeded',
      `A KV page takes ${bytesText(headBytes)} in each layer's buffers, and this device allows buffers of ${bytesText(maxBuffer)}.`,
      { hint: 'Load a smaller model, or use another GPU.', details: { partBytes: headBytes, maxBuffer } },
    );
  }
  const useful = maxLanes * Math.ceil(modelContext / pageSize);
  const totalPages = Math.min(Math.floor(budget / pageBytes), Math.floor(maxBuffer / headBytes), useful);
  const fewest = Math.ceil((totalPages * layerBytes) / maxBuffer);
  let parts = Math.max(1, fewest);
  while (kvHeads % parts !== 0) parts++;
  return {
    totalPages,
    parts,
    bytes: totalPages * pageBytes,
    maxContext: Math.min(modelContext, totalPages * pageSize),
  };
}
