/** One open GPU device: buffers, kernels, error scopes, and what happens when it is lost. */
import { ReckonError } from '../errors.ts';
import { type Kernel, KernelCache, type KernelSpec } from './kernel.ts';
import type { DeviceProfile } from './profile.ts';

export type BindingResource = GPUBuffer | GPUBufferBinding;

/** Buffer usages by what the buffer is for. */
export const USAGE = {
  /** Read and written by kernels, written and read by copies. */
  storage: 0x80 | 0x08 | 0x04,
  uniform: 0x40 | 0x08,
} as const;

export class Gpu {
  readonly device: GPUDevice;
  readonly profile: DeviceProfile;
  /** Bytes of GPU memory held through this object. */
  allocatedBytes = 0;

  readonly #kernels: KernelCache;
  readonly #buffers = new Map<GPUBuffer, number>();
  readonly #failureListeners = new Set<(error: ReckonError) => void>();
  #failure: ReckonError | null = null;
  #closed = false;

  constructor(device: GPUDevice, profile: DeviceProfile) {
    this.device = device;
    this.profile = profile;
    this.#kernels = new KernelCache(device);
    device.lost.then((info) => {
      if (this.#closed) return;
      this.#fail(
        new ReckonError(
          'device-lost',
          `The GPU device was lost: ${info.message || info.reason || 'no reason given'}.`,
          {
            hint: 'Load the model again; what was generated so far is kept. If it happens again, use fewer lanes or a smaller model.',
            details: { reason: info.reason },
          },
        ),
      );
    });
    device.addEventListener('uncapturederror', this.#onError);
  }

  /** An error outside any scope means some dispatch did not do its work; going on would produce gibberish. */
  readonly #onError = (event: GPUUncapturedErrorEvent) => this.#fail(typedGpuError(event.error, 'a GPU command'));

  /** Set once the device is lost or a command failed: from then on nothing more is computed here. */
  get failure(): ReckonError | null {
    return this.#failure;
  }

  throwIfFailed(): void {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new ReckonError('device-lost', 'This GPU device was closed.', { hint: 'Open a new one.' });
  }

  /** Calls `listener` once when the device fails (at once if it has). Returns the way to take it back. */
  onFailure(listener: (error: ReckonError) => void): () => void {
    if (this.#failure) listener(this.#failure);
    else this.#failureListeners.add(listener);
    return () => this.#failureListeners.delete(listener);
  }

  /**
   * A zeroed buffer of at least `bytes` (rounded up to 16).
   * @throws ReckonError `limit-exceeded` when the device cannot have a buffer or binding of that size.
   */
  buffer(label: string, bytes: number, usage: number = USAGE.storage): GPUBuffer {
    this.throwIfFailed();
    const size = Math.max(16, Math.ceil(bytes / 16) * 16);
    const { maxBufferSize, maxStorageBufferBindingSize } = this.profile.limits;
    const limit = Math.min(maxBufferSize, usage & 0x80 ? maxStorageBufferBindingSize : maxBufferSize);
    if (size > limit) {
      throw new ReckonError(
        'limit-exceeded',
        `${label} needs ${mib(size)} in one piece; this GPU allows ${mib(limit)}.`,
        {
          hint: 'Use a smaller model, a lower precision or a shorter context.',
          details: { label, size, limit },
        },
      );
    }
    const buffer = this.device.createBuffer({ label, size, usage });
    this.#buffers.set(buffer, size);
    this.allocatedBytes += size;
    return buffer;
  }

  /** Frees a buffer made here. Freeing twice does nothing. */
  free(buffer: GPUBuffer): void {
    const size = this.#buffers.get(buffer);
    if (size === undefined) return;
    this.#buffers.delete(buffer);
    this.allocatedBytes -= size;
    buffer.destroy();
  }

  /** The compiled kernel for `spec`; compiled once, asynchronously. */
  kernel(spec: KernelSpec): Promise<Kernel> {
    this.throwIfFailed();
    return this.#kernels.get(spec);
  }

  /** A bind group for a kernel; resources in the order of its spec's bindings. */
  bind(kernel: Kernel, resources: readonly BindingResource[], label = kernel.label): GPUBindGroup {
    if (resources.length !== kernel.spec.bindings.length) {
      throw new ReckonError(
        'internal',
        `${label} takes ${kernel.spec.bindings.length} bindings, not ${resources.length}.`,
      );
    }
    return this.device.createBindGroup({
      label,
      layout: kernel.layout,
      entries: resources.map((resource, binding) => ({
        binding,
        resource: 'buffer' in resource ? resource : { buffer: resource },
      })),
    });
  }

  /**
   * Runs `work` within error scopes; what the GPU objects to becomes a typed error instead of an invalid object that is
   * silently used. For set-up (allocations, uploads), not for steps: waiting for a scope costs a round trip.
   */
  async guarded<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.throwIfFailed();
    const { device } = this;
    for (const filter of ['internal', 'out-of-memory', 'validation'] as const) device.pushErrorScope(filter);
    let result: T | undefined;
    let thrown: { error: unknown } | null = null;
    try {
      result = await work();
    } catch (error) {
      thrown = { error };
    }
    const errors = await Promise.all([device.popErrorScope(), device.popErrorScope(), device.popErrorScope()]).catch(
      () => [],
    );
    this.throwIfFailed();
    if (thrown) throw thrown.error;
    const first = errors.find((error) => error !== null && error !== undefined);
    if (first) throw typedGpuError(first, what);
    return result as T;
  }

  /** Frees every buffer made here and closes the device. Not a failure: listeners are not called. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    for (const buffer of this.#buffers.keys()) buffer.destroy();
    this.#buffers.clear();
    this.allocatedBytes = 0;
    this.#failureListeners.clear();
    this.device.removeEventListener('uncapturederror', this.#onError);
    this.device.destroy();
  }

  #fail(error: ReckonError): void {
    if (this.#failure || this.#closed) return;
    this.#failure = error;
    for (const listener of this.#failureListeners) listener(error);
    this.#failureListeners.clear();
  }
}

/** A GPU error object as a typed error. Matched by name: the classes are not globals everywhere. */
export function typedGpuError(error: GPUError, what: string): ReckonError {
  const kind = error.constructor.name;
  if (kind === 'GPUOutOfMemoryError') {
    return new ReckonError('gpu-out-of-memory', `The GPU ran out of memory during ${what}.`, {
      hint: 'Use a smaller model, fewer lanes or a shorter context, or close other pages that use the GPU.',
      details: { gpuMessage: error.message },
    });
  }
  return new ReckonError('gpu-validation', `The GPU rejected ${what}: ${error.message}`, { details: { kind } });
}

function mib(bytes: number): string {
  return `${(bytes / 2 ** 20).toFixed(bytes < 10 * 2 ** 20 ? 1 : 0)} MiB`;
}
