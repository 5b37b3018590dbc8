/** Records a step's commands: as few passes as copies allow, and no state set twice. */
import { ReckonError } from '../errors.ts';
import type { Gpu } from './gpu.ts';
import type { Kernel } from './kernel.ts';

export type Grid = readonly [x: number, y?: number, z?: number];

export class Recorder {
  /** Dispatches and passes recorded since `begin`. */
  dispatches = 0;
  passes = 0;

  readonly #gpu: Gpu;
  readonly #maxGrid: number;
  #encoder: GPUCommandEncoder | null = null;
  #pass: GPUComputePassEncoder | null = null;
  #pipeline: GPUComputePipeline | null = null;
  #timestamps: GPUComputePassTimestampWrites | undefined;

  constructor(gpu: Gpu) {
    this.#gpu = gpu;
    this.#maxGrid = gpu.profile.limits.maxComputeWorkgroupsPerDimension;
  }

  /** Starts a command buffer. `timestamps` are written around the first pass. */
  begin(label: string, timestamps?: GPUComputePassTimestampWrites): void {
    this.#gpu.throwIfFailed();
    this.#encoder = this.#gpu.device.createCommandEncoder({ label });
    this.#timestamps = timestamps;
    this.dispatches = 0;
    this.passes = 0;
  }

  /** One dispatch of `grid` workgroups. A grid with a zero does nothing. */
  dispatch(kernel: Kernel, bindings: GPUBindGroup, [x, y = 1, z = 1]: Grid): void {
    if (x === 0 || y === 0 || z === 0) return;
    if (x > this.#maxGrid || y > this.#maxGrid || z > this.#maxGrid) {
      throw new ReckonError(
        'limit-exceeded',
        `${kernel.label} wants a grid of ${x}×${y}×${z} workgroups; this GPU allows ${this.#maxGrid} a side.`,
      );
    }
    const pass = (this.#pass ??= this.#openPass());
    if (this.#pipeline !== kernel.pipeline) {
      pass.setPipeline(kernel.pipeline);
      this.#pipeline = kernel.pipeline;
    }
    pass.setBindGroup(0, bindings);
    pass.dispatchWorkgroups(x, y, z);
    this.dispatches++;
  }

  /** Copies between buffers; ends the open pass. Offsets and size in bytes, multiples of 4. */
  copy(source: GPUBuffer, sourceOffset: number, target: GPUBuffer, targetOffset: number, size: number): void {
    this.#closePass();
    this.#open().copyBufferToBuffer(source, sourceOffset, target, targetOffset, size);
  }

  /** Resolves timestamp queries into a buffer; ends the open pass. */
  resolve(queries: GPUQuerySet, count: number, target: GPUBuffer): void {
    this.#closePass();
    this.#open().resolveQuerySet(queries, 0, count, target, 0);
  }

  /** Ends recording; the command buffer is the caller's to submit. */
  finish(): GPUCommandBuffer {
    this.#closePass();
    const commands = this.#open().finish();
    this.#encoder = null;
    return commands;
  }

  #open(): GPUCommandEncoder {
    if (!this.#encoder) throw new ReckonError('internal', 'Recorder used before begin().');
    return this.#encoder;
  }

  #openPass(): GPUComputePassEncoder {
    const timestampWrites = this.#timestamps;
    this.#timestamps = undefined;
    this.passes++;
    return this.#open().beginComputePass(timestampWrites ? { timestampWrites } : {});
  }

  #closePass(): void {
    this.#pass?.end();
    this.#pass = null;
    this.#pipeline = null;
  }
}
