/** How matmuls are laid out on a device, and the constants of their shaders that follow. */
import { checkNumber, ReckonError } from '../errors.ts';
import type { DeviceProfile } from '../gpu/index.ts';
import type { WeightFormat } from './matrix.ts';

/** How the work is laid out on a device. `slices` alone affects results (the order of sums), hence is fixed per shape. */
export interface MatmulTuning {
  /** Row tiles of the small variant that are compiled: powers of two up to 32, ascending. */
  rowTiles: readonly number[];
  /** Columns a thread owns, for tiles up to 8 rows and for taller ones. */
  columns: 1 | 2 | 4;
  tallColumns: 1 | 2 | 4;
  /** Threads of a workgroup of the small variant. */
  threads: number;
  /** K is cut into up to this many slices … */
  maxSlices: number;
  /** … while fewer threads than this would run for one row tile. */
  targetThreads: number;
  /** Rows from which the tiled variant takes over; Infinity: never. */
  tiledFrom: number;
  /** Results (rows × outputs) from which its tiles are 64 a side instead of 32: enough of them to fill the GPU. */
  tallTilesFrom: number;
}

/** The one place where devices differ. Software drivers pay for barriers and registers, GPUs for idle units. */
export function defaultTuning(profile: DeviceProfile): MatmulTuning {
  if (profile.tuning === 'cpu') {
    return {
      rowTiles: [1, 4, 8, 16],
      columns: 4,
      tallColumns: 4,
      threads: 16,
      maxSlices: 1,
      targetThreads: 0,
      tiledFrom: Number.POSITIVE_INFINITY,
      tallTilesFrom: 0,
    };
  }
  return {
    rowTiles: [1, 2, 4, 8, 16, 32],
    columns: 2,
    tallColumns: 2,
    threads: 128,
    maxSlices: 32,
    targetThreads: 32768,
    tiledFrom: 33,
    tallTilesFrom: 2 ** 20,
  };
}

/** Constants of `matmul/small` for tiles of `tile` rows, `width` columns a thread, `lanes` threads side by side. */
export function smallConstants(tile: number, width: number, lanes: number, slice: number, format: WeightFormat) {
  return {
    ROWS: tile,
    LANES: lanes,
    WIDTH: width,
    ROUND: Math.min(4, tile),
    BLOCK4: format.kind === 'float' ? slice : format.group / 4,
  };
}

/** Its conditions for them. */
export function smallConditions(tile: number, width: number) {
  return {
    columns2: width === 2,
    columns4: width === 4,
    rows2: tile >= 2,
    rows4: tile >= 4,
    rows8: tile >= 8,
    rows16: tile >= 16,
    rows32: tile >= 32,
  };
}

/** Slices of K and the k4 each holds, whole groups: a function of shape and tuning, never of the rows. None is empty. */
export function sliceK(
  k4: number,
  n: number,
  format: WeightFormat,
  tuning: MatmulTuning,
): { slices: number; slice: number } {
  const unit = format.kind === 'float' ? 1 : format.group / 4;
  let slices = 1;
  const more = () => (n / tuning.columns) * slices < tuning.targetThreads && k4 / (slices * 2) >= 4;
  while (slices * 2 <= Math.min(tuning.maxSlices, tuning.threads) && more()) slices *= 2;
  const slice = Math.ceil(k4 / slices / unit) * unit;
  return { slices: Math.ceil(k4 / slice), slice };
}

/** @throws ReckonError `bad-option` for layouts that there are no kernels for. */
export function checkTuning({ rowTiles, threads, maxSlices, columns, tallColumns }: MatmulTuning): void {
  const tilesOk =
    rowTiles.length > 0 &&
    rowTiles.every((tile, i) => [1, 2, 4, 8, 16, 32].includes(tile) && tile > (rowTiles[i - 1] ?? 0));
  if (!tilesOk)
    throw new ReckonError(
      'bad-option',
      `matmul rowTiles is [${rowTiles}]; ascending powers of two up to 32 are possible.`,
    );
  checkNumber('matmul threads', threads, { min: 1, max: 256, integer: true });
  checkNumber('matmul maxSlices', maxSlices, { min: 1, integer: true });
  for (const width of [columns, tallColumns]) {
    if (![1, 2, 4].includes(width))
      throw new ReckonError('bad-option', `matmul columns is ${width}; it must be 1, 2 or 4.`);
  }
}
