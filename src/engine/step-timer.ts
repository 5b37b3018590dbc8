/** GPU time of steps, by timestamp queries around each step's first pass. Only made where the device has them. */
import type { Gpu, ReadbackSlot, Recorder } from '../gpu/index.ts';

const QUERY_RESOLVE = 0x200;
const COPY_SRC = 0x04;

/** The timestamps of one step. */
export interface StepTiming {
  readonly writes: GPUComputePassTimestampWrites;
  /** Records the copy of the two timestamps to byte `at` of the read-back slot. */
  resolve(recorder: Recorder, slot: ReadbackSlot, at: number): void;
  /** Milliseconds between them; null where the driver gave nonsense. */
  read(buffer: ArrayBuffer, at: number): number | null;
}

export class StepTimer {
  readonly #timings: StepTiming[] = [];
  #turn = 0;

  /** One query pair for each of `depth` steps in flight. */
  constructor(gpu: Gpu, depth: number) {
    for (let i = 0; i < depth; i++) {
      const queries = gpu.device.createQuerySet({ label: `step time ${i}`, type: 'timestamp', count: 2 });
      const resolved = gpu.buffer(`step time ${i}`, 16, QUERY_RESOLVE | COPY_SRC);
      this.#timings.push({
        writes: { querySet: queries, beginningOfPassWriteIndex: 0, endOfPassWriteIndex: 1 },
        resolve: (recorder, slot, at) => {
          recorder.resolve(queries, 2, resolved);
          slot.copy(recorder, resolved, 0, 16, at);
        },
        read: (buffer, at) => {
          const [begin, end] = new BigUint64Array(buffer.slice(at, at + 16));
          return end! > begin! ? Number(end! - begin!) / 1e6 : null;
        },
      });
    }
  }

  next(): StepTiming {
    return this.#timings[this.#turn++ % this.#timings.length]!;
  }
}
