/** A ring of staging buffers: results are copied at the end of a step and read several steps later. */
import { ReckonError } from '../errors.ts';
import type { Gpu } from './gpu.ts';
import type { Recorder } from './recorder.ts';

const MAP_READ = 0x01;
const COPY_DST = 0x08;
const MAP_MODE_READ = 1;

/** A claimed place in the ring. */
export interface ReadbackSlot {
  /** Records the copy of `bytes` of `source` (from `offset`) to `at` in the slot. */
  copy(recorder: Recorder, source: GPUBuffer, offset: number, bytes: number, at?: number): void;
  /**
   * Waits for the copy and returns its bytes; call once, after the submit. Gives the place back.
   * @throws ReckonError `device-lost` when the device fails first.
   */
  read(): Promise<ArrayBuffer>;
  /** Gives the place back unread, for a step that was never submitted. */
  release(): void;
}

export class ReadbackRing {
  readonly depth: number;
  readonly #gpu: Gpu;
  readonly #free: GPUBuffer[] = [];

  /** `depth` slots of `bytes` each. */
  constructor(gpu: Gpu, label: string, depth: number, bytes: number) {
    this.#gpu = gpu;
    this.depth = depth;
    for (let i = 0; i < depth; i++) this.#free.push(gpu.buffer(`${label} read-back ${i}`, bytes, MAP_READ | COPY_DST));
  }

  get available(): number {
    return this.#free.length;
  }

  /** Claims a place. Callers check `available` first. */
  claim(): ReadbackSlot {
    const buffer = this.#free.pop();
    if (!buffer) throw new ReckonError('internal', 'The read-back ring is full.');
    let used = 0;
    const release = () => {
      this.#free.push(buffer);
    };
    return {
      copy: (recorder, source, offset, bytes, at = 0) => {
        recorder.copy(source, offset, buffer, at, bytes);
        used = Math.max(used, at + bytes);
      },
      read: async () => {
        let bytes: ArrayBuffer;
        try {
          await buffer.mapAsync(MAP_MODE_READ, 0, used);
          // Firefox may fulfil the mapping of a device that is gone, and then have no range to give.
          bytes = buffer.getMappedRange(0, used).slice(0);
        } catch (cause) {
          this.#gpu.throwIfFailed();
          // Mapping fails when the device goes; its `lost` promise may settle a moment later.
          throw new ReckonError('device-lost', 'The GPU went away before its results could be read.', {
            hint: 'Load the model again; what was generated so far is kept.',
            cause,
          });
        }
        buffer.unmap();
        release();
        return bytes;
      },
      release,
    };
  }
}
