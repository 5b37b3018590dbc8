import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Meter } from '../../../src/checkpoint/download/meter.ts';
import { backOff, DEFAULT_RETRY, retrying } from '../../../src/checkpoint/http/retry.ts';
import { requestError, retryAfterSeconds } from '../../../src/checkpoint/http/status.ts';
import type { DownloadProgress } from '../../../src/checkpoint/store/types.ts';
import { isReckonError } from '../../../src/errors.ts';
import { errorOf } from '../../support/checkpoint.ts';

const transient = (facts = {}) =>
  requestError('http://h/x?key=1', 'It broke', 'Try again.', { transient: true, ...facts });
const QUICK = { ...DEFAULT_RETRY, baseSeconds: 0.0001 };

describe('retrying', () => {
  it('waits longer each time, never less than half a step, never more than the policy says', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (failures, chance) => {
          const wait = backOff({ ...DEFAULT_RETRY, random: () => chance }, failures);
          const step = Math.min(30, 0.5 * 2 ** (failures - 1));
          expect(wait).toBeGreaterThanOrEqual(step / 2);
          expect(wait).toBeLessThanOrEqual(step);
        },
      ),
    );
  });

  it('gives up after so many failures in a row; progress starts the count anew', async () => {
    let tries = 0;
    const work = async (progressed: () => void) => {
      if (++tries === 4) progressed();
      throw transient();
    };
    const error = await errorOf(() => retrying(work, { policy: { ...QUICK, attempts: 5 }, what: 'It' }));
    expect(isReckonError(error, 'network')).toBe(true);
    expect(error.message).not.toContain('key');
    // Three, then from the fourth on five more.
    expect(tries).toBe(3 + 5);
  });

  it('never asks before the server wants it, and not at all when that is too long', async () => {
    const waits: number[] = [];
    let tries = 0;
    const work = async () => {
      if (++tries < 3) throw transient({ retryAfter: 0.02 });
      return 'done';
    };
    const started = performance.now();
    await retrying(work, { policy: QUICK, what: 'It', onRetry: ({ wait }) => waits.push(wait) });
    expect(waits).toEqual([0.02, 0.02]);
    expect(performance.now() - started).toBeGreaterThan(35);
    tries = -1000;
    await errorOf(() =>
      retrying(async () => Promise.reject(transient({ retryAfter: 3600 })), { policy: QUICK, what: 'It' }),
    );
    expect(retryAfterSeconds('120')).toBe(120);
    expect(retryAfterSeconds('Wed, 21 Oct 2015 07:28:10 GMT', Date.parse('2015-10-21T07:28:00Z'))).toBe(10);
    expect([retryAfterSeconds(null), retryAfterSeconds('soon')]).toEqual([undefined, undefined]);
  });

  it('stops waiting when it is told', async () => {
    const stop = new AbortController();
    const policy = { ...DEFAULT_RETRY, baseSeconds: 60, maxSeconds: 60 };
    const running = retrying(async () => Promise.reject(transient()), { policy, what: 'It', signal: stop.signal });
    setTimeout(() => stop.abort(), 5);
    expect(isReckonError(await errorOf(() => running), 'aborted')).toBe(true);
  });
});

describe('Meter', () => {
  it('tells rate and time left over the last seconds', () => {
    let time = 0;
    const seen: DownloadProgress[] = [];
    const meter = new Meter(
      (progress) => seen.push(progress),
      () => time,
    );
    meter.phase('downloading', { total: 1000, loaded: 100 });
    // 10 bytes a second, then 50.
    for (let tick = 0; tick < 40; tick++) {
      time += 1;
      const bytes = tick < 20 ? 10 : 25;
      meter.receive(bytes);
      meter.tick(() => ({ loaded: 100 + meter.received }));
      if (tick === 19) expect(seen.at(-1)).toMatchObject({ bytesPerSecond: 10, secondsLeft: 70, received: 200 });
    }
    expect(seen.at(-1)).toMatchObject({ bytesPerSecond: 25, loaded: 800, secondsLeft: 8, trouble: null });
    const told = seen.length;
    meter.tick(() => ({}));
    expect(seen).toHaveLength(told);
    meter.trouble('It broke.');
    expect(seen.at(-1)!.trouble).toBe('It broke.');
    meter.receive(1);
    meter.phase('verifying');
    expect(seen.at(-1)).toMatchObject({ phase: 'verifying', trouble: null });
  });
});
