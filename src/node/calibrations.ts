/** Device calibrations in a file of the user's cache folder. */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { CalibrationStore, KeptCalibration } from '../cost/calibrate.ts';

/** `$XDG_CACHE_HOME/reckon/devices.json`, or below `~/.cache`. */
function cacheFile(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'reckon', 'devices.json');
}

/** A store of calibrations by key. A damaged file is treated as empty. */
export function fileStore(path = cacheFile()): CalibrationStore {
  const read = async (): Promise<Record<string, KeptCalibration>> => {
    try {
      return JSON.parse(await readFile(path, 'utf8')) as Record<string, KeptCalibration>;
    } catch {
      return {};
    }
  };
  return {
    get: async (key) => (await read())[key],
    set: async (key, kept) => {
      const all = await read();
      await mkdir(dirname(path), { recursive: true });
      await writeFile(path, `${JSON.stringify({ ...all, [key]: kept }, null, 2)}\n`);
    },
  };
}
