/** What is known of the machine, and what is assumed where it does not tell. */
import type { DeviceFigures } from '../cost/device-cost.ts';
import type { DeviceProfile } from '../gpu/index.ts';
import { bytesText } from './words.ts';

/** A GPU, as far as choosing a model needs it. */
export interface FitDevice {
  readonly name: string;
  readonly software: boolean;
  readonly tuning: DeviceProfile['tuning'];
  readonly limits: Pick<DeviceProfile['limits'], 'maxBufferSize' | 'maxStorageBufferBindingSize'>;
  /** Bytes a model may take, where somebody knows. */
  readonly memoryBytes?: number | undefined;
  /** What it sustains, where that was measured. */
  readonly figures?: DeviceFigures | undefined;
}

/** Bytes that can still be kept on this device; null where nobody tells. */
export interface StorageRoom {
  readonly free: number | null;
}

const GIB = 2 ** 30;

/** What browsers report for most GPUs of desktop computers. */
export const TYPICAL_LIMITS = { maxBufferSize: 4 * GIB, maxStorageBufferBindingSize: 2 * GIB - 4 };

/** WebGPU keeps the size of GPU memory to itself. Drivers cap single buffers at half of it or less. */
const MEMORY_PER_BUFFER = 2;

export interface Surroundings {
  readonly limits: FitDevice['limits'];
  readonly memoryBytes: number;
  readonly tuning: FitDevice['tuning'];
  readonly assumed: readonly string[];
}

/** The device with what it does not tell filled in, and a sentence for each assumption. */
export function deviceOf(device: FitDevice | null): Surroundings {
  const limits = device?.limits ?? TYPICAL_LIMITS;
  const memoryBytes = device?.memoryBytes ?? MEMORY_PER_BUFFER * limits.maxBufferSize;
  const assumed: string[] = [];
  if (device === null) {
    assumed.push(
      `No GPU is at hand: one is assumed with ${bytesText(memoryBytes)}, as most desktop computers have, and no speed is told.`,
    );
  } else {
    if (device.memoryBytes === undefined) {
      assumed.push(
        `WebGPU does not tell how much memory a GPU has: twice its largest buffer is assumed, ${bytesText(memoryBytes)}.`,
      );
    }
    if (!device.figures) assumed.push('What this GPU sustains was not measured: no speed is told.');
  }
  return { limits, memoryBytes, tuning: device?.tuning ?? 'gpu', assumed };
}
