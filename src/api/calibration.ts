/** The device's calibration, measured once per adapter and driver and kept: in IndexedDB, or in Node in a file. */
import { type DBSchema, openDB } from 'idb';
import { calibrate, type DeviceCalibration } from '../cost/calibrate.ts';
import type { DeviceProfile, Gpu } from '../gpu/index.ts';
import { inNode } from './source.ts';

/** Where calibrations are kept. Losing one costs a second of measuring: stores may fail, callers do not. */
export interface CalibrationStore {
  get(key: string): Promise<DeviceCalibration | undefined>;
  set(key: string, calibration: DeviceCalibration): Promise<void>;
}

interface Schema extends DBSchema {
  calibrations: { key: string; value: DeviceCalibration };
}

/** What a calibration is valid for. The user agent stands in for the driver, whose version pages are not told. */
export function calibrationKey({ name, vendor, architecture, features }: DeviceProfile): string {
  const host = (globalThis.navigator as Navigator | undefined)?.userAgent ?? 'node';
  return [1, name, vendor, architecture, features.f16, host].join('|');
}

/** The kept calibration of this device, or a new one (under two seconds). */
export async function calibrationOf(gpu: Gpu, store?: CalibrationStore): Promise<DeviceCalibration> {
  const kept = store ?? (await defaultStore());
  const key = calibrationKey(gpu.profile);
  const known = await kept.get(key).catch(() => undefined);
  if (known) return known;
  const measured = await calibrate(gpu);
  await kept.set(key, measured).catch(() => {});
  return measured;
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
    set: async (key, calibration) => {
      await (await open()).put('calibrations', calibration, key);
    },
  };
}
