/** The shape of a model's attention, checked once for all kernels that work on it. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { Gpu } from '../gpu/index.ts';

export interface AttentionShape {
  /** Query heads. */
  heads: number;
  /** Heads of keys and values; `heads` is a multiple, at most 16 times as many. */
  kvHeads: number;
  /** Numbers of a head: a multiple of 8 from 16 to 256. */
  headDim: number;
  /**
   * How many buffers a layer's keys lie in, and its values, and its summaries: `kvHeads / parts` heads in each. Every kernel
   * then has a dispatch for each part, with the same bits. Default 1.
   */
  parts?: number;
}

/** Most query heads that share a head of keys and values. */
const MAX_GROUP = 16;

/** @throws ReckonError `bad-option` naming the number that the kernels cannot serve. */
export function checkAttentionShape({ heads, kvHeads, headDim, parts = 1 }: AttentionShape): void {
  checkNumber('kvHeads', kvHeads, { min: 1, integer: true });
  checkNumber('heads', heads, { min: kvHeads, max: MAX_GROUP * kvHeads, integer: true });
  if (heads % kvHeads !== 0) {
    throw new ReckonError('bad-option', `heads is ${heads}; it must be a multiple of kvHeads, which is ${kvHeads}.`);
  }
  checkNumber('parts', parts, { min: 1, max: kvHeads, integer: true });
  if (kvHeads % parts !== 0) {
    throw new ReckonError('bad-option', `${kvHeads} KV heads cannot lie in ${parts} buffers, as many in each.`);
  }
  checkNumber('headDim', headDim, { min: 16, max: 256, integer: true });
  if (headDim % 8 !== 0) throw new ReckonError('bad-option', `headDim is ${headDim}; it must be a multiple of 8.`);
}

/** The shape as constants of the shaders, for dispatches that serve one part of the KV heads. */
export function shapeConstants({ heads, kvHeads, headDim, parts = 1 }: AttentionShape) {
  return { HEADS: heads, KV_HEADS: kvHeads / parts, GROUP: heads / kvHeads, D4: headDim / 4 };
}

const UNIFORM = 0x40 | 0x08;

/** A uniform with the number of a layer, and the first KV head of a part of its cache: `Layer` in shaders/lib/step.wesl. */
export function layerBuffer(gpu: Gpu, { kvHeads, parts = 1 }: AttentionShape, layer: number, part = 0): GPUBuffer {
  const buffer = gpu.buffer(`layer ${layer}, part ${part}`, 16, UNIFORM);
  gpu.device.queue.writeBuffer(buffer, 0, new Uint32Array([layer, (kvHeads / parts) * part]));
  return buffer;
}
