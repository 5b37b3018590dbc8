/** The shape of a model's attention, checked once for all kernels that work on it. */
import { checkNumber, ReckonError } from '../errors.ts';

export interface AttentionShape {
  /** Query heads. */
  heads: number;
  /** Heads of keys and values; `heads` is a multiple, at most 16 times as many. */
  kvHeads: number;
  /** Numbers of a head: a multiple of 8 from 16 to 256. */
  headDim: number;
}

/** Most query heads that share a head of keys and values. */
const MAX_GROUP = 16;

/** @throws ReckonError `bad-option` naming the number that the kernels cannot serve. */
export function checkAttentionShape({ heads, kvHeads, headDim }: AttentionShape): void {
  checkNumber('kvHeads', kvHeads, { min: 1, integer: true });
  checkNumber('heads', heads, { min: kvHeads, max: MAX_GROUP * kvHeads, integer: true });
  if (heads % kvHeads !== 0) {
    throw new ReckonError('bad-option', `heads is ${heads}; it must be a multiple of kvHeads, which is ${kvHeads}.`);
  }
  checkNumber('headDim', headDim, { min: 16, max: 256, integer: true });
  if (headDim % 8 !== 0) throw new ReckonError('bad-option', `headDim is ${headDim}; it must be a multiple of 8.`);
}
