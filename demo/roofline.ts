/** Where a run stands below the roof of its device: work a byte against work a second. */
import type { DeviceCalibration } from '../src/cost/calibrate.ts';
import type { LedgerSnapshot } from '../src/engine/types.ts';
import { COST_CLASSES, type CostClass } from '../src/ledger/cost.ts';
import { percent, si } from './format.ts';

/** What the device sustains. */
export type Roof = Pick<DeviceCalibration, 'flops32' | 'bandwidth'>;

/** FLOP/s that the device sustains at so many FLOP per byte. */
export function attainable({ flops32, bandwidth }: Roof, intensity: number): number {
  return Math.min(flops32, bandwidth * intensity);
}

export interface RunPoint {
  /** FLOP per byte. */
  readonly intensity: number;
  /** FLOP a second of wall time. */
  readonly rate: number;
}

/** A kind of work on the roof: as fast as it could be at most. */
export interface ClassPoint {
  readonly name: CostClass;
  readonly intensity: number;
  readonly rate: number;
  /** Its part of the least time that the whole run could take, 0 to 1. */
  readonly share: number;
}

/** The whole run as it was; null before there is anything to show. */
export function runPoint({ flops, bytes }: LedgerSnapshot, seconds: number): RunPoint | null {
  return flops > 0 && bytes > 0 && seconds > 0 ? { intensity: flops / bytes, rate: flops / seconds } : null;
}

/**
 * The kinds of work that compute anything. What each took is not measured, a step being timed as a whole: they stand on
 * the roof, and their shares are of the time they would take there.
 */
export function classPoints(total: LedgerSnapshot, roof: Roof): ClassPoint[] {
  const least = (name: CostClass) => {
    const { flops, bytes } = total.classes[name];
    return Math.max(flops / roof.flops32, bytes / roof.bandwidth);
  };
  const whole = COST_CLASSES.reduce((sum, name) => sum + least(name), 0);
  return COST_CLASSES.flatMap((name) => {
    const { flops, bytes } = total.classes[name];
    if (flops <= 0 || bytes <= 0) return [];
    const intensity = flops / bytes;
    return [{ name, intensity, rate: attainable(roof, intensity), share: least(name) / whole }];
  });
}

/** What the plot says, in words. */
export function rooflineWords(point: RunPoint | null, roof: Roof | null): string {
  if (!point) return 'The run appears here as soon as it has cost something.';
  const work = `${point.intensity.toPrecision(3)} FLOP for each byte, ${si(point.rate, 'FLOP/s')}.`;
  if (!roof) return `${work} What this device sustains was not measured, so there is no roof to hold it against.`;
  const ridge = roof.flops32 / roof.bandwidth;
  const bound =
    point.intensity < ridge
      ? `Below ${ridge.toPrecision(3)} this device waits for memory`
      : `From ${ridge.toPrecision(3)} on this device is busy computing`;
  const most = attainable(roof, point.intensity);
  const reached =
    point.rate > most
      ? 'The run is faster than what was measured there: caches served a part of its traffic, or other work slowed the measurement.'
      : `The run reaches ${percent(point.rate, most)} of what it sustains there.`;
  return `${work} ${bound}. ${reached}`;
}
