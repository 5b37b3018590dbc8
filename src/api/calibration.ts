/**
 * The device's calibration, kept per adapter and driver: in IndexedDB, or in Node in a file. Whatever else runs can only make
 * a device look slower than it is, so the first few starts measure again and the best of each figure stays.
 */
import { type DBSchema, openDB } from 'idb';
import {
  bestCalibration,
  type CalibrationStore,
  calibrate,
  type DeviceCalibration,
  type KeptCalibration,
} from '../cost/calibrate.ts';
import type { DeviceProfile, Gpu } from '../gpu/index.ts';
import { inNode } from './source.ts';

interface Schema extends DBSchema {
  calibrations: { key: string; value: KeptCalibration };
}

/** Starts that measure. */
const STARTS = 3;

/** What a calibration is valid for. The user agent stands in for the driver, whose version pages are not told. */
export function calibrationKey({ name, vendor, architecture, features }: DeviceProfile): string {
  const host = (globalThis.navigator as Navigator | undefined)?.userAgent ?? 'node';
  return [2, name, vendor, architecture, features.f16, host].join('|');
}

/** The calibration of this device: measured (under two seconds) in the first three starts, then the best of them. */
export async function calibrationOf(gpu: Gpu, store?: CalibrationStore): Promise<DeviceCalibration> {
  const kept = store ?? (await defaultStore());
  const key = calibrationKey(gpu.profile);
  const known = await kept.get(key).catch(() => undefined);
  if (known && known.starts >= STARTS) return known.calibration;
  const measured = await calibrate(gpu);
  const calibration = known ? bestCalibration(known.calibration, measured) : measured;
  await kept.set(key, { calibration, starts: (known?.starts ?? 0) + 1 }).catch(() => {});
  return calibration;
}

async function defaultStore(): Promise<CalibrationStore> {
  if (inNode()) {
    const { fileStore } = await import('../node/calibrations.ts');
    return fileStore();
  }
  const open = () =>
    openDB<Schema>('reckon', 1, {
      upgrade(database) {
        database.createObjectStore('calibrations');
      },
    });
  return {
    get: async (key) => (await open()).get('calibrations', key),
    set: async (key, value) => {
      await (await open()).put('calibrations', value, key);
    },
  };
}
