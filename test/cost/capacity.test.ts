import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { capacityMessage, checkCapacity, kvDemand, longestLanes, tokensText } from '../../src/cost/capacity.ts';
import { catalogueEntry } from '../../src/cost/catalogue.ts';
import { kvBytesPerToken } from '../../src/cost/shapes.ts';

const GIB = 2 ** 30;
const bytesPerToken = kvBytesPerToken(catalogueEntry('Qwen3-0.6B'), 'f16');

describe('capacityMessage', () => {
  it('says what was asked, what there is and what would fit', () => {
    const room = { bytes: 3.1 * GIB, bytesPerToken, precision: 'f16' } as const;
    expect(capacityMessage({ lanes: 8, length: 32768 }, room)).toBe(
      '8 lanes × 32k tokens need 28 GiB of KV; this device admits 3.1 GiB: 8 × 3.6k, or 1 × 29k, or int8 KV for about twice that',
    );
    expect(capacityMessage({ lanes: 1, length: 32768 }, { ...room, precision: 'int8' })).toBe(
      '1 lane × 32k tokens needs 3.5 GiB of KV; this device admits 3.1 GiB: 1 × 29k',
    );
    expect(capacityMessage({ lanes: 8, length: 2000 }, room)).toBeNull();
    expect(() => checkCapacity({ lanes: 8, length: 32768 }, room)).toThrow(/8 × 3\.6k, or 1 × 29k/);
  });

  it('counts a shared prompt once', () => {
    const room = { bytes: 1000, bytesPerToken: 1, precision: 'f32' } as const;
    expect(capacityMessage({ lanes: 4, length: 400, shared: 300 }, room)).toBeNull();
    expect(capacityMessage({ lanes: 10, length: 400, shared: 300 }, room)).toBe(
      '10 lanes × 400 tokens, 300 of them shared, need 1.3 KiB of KV; this device admits 1000 bytes: 10 × 370, or 7 × 400, or f16 KV for twice that, int8 for about four times',
    );
    expect(capacityMessage({ lanes: 2, length: 4000, shared: 3000 }, room)).toContain('too little for any lane');
  });

  it('offers only what fits, and nothing longer would', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.nat(500),
        fc.integer({ min: 1, max: 64 }),
        fc.nat(1e6),
        (lanes, shared, pageSize, bytes) => {
          const room = { bytes, bytesPerToken: 3, precision: 'f16', pageSize } as const;
          const length = longestLanes(lanes, shared, room);
          const demand = (tokens: number) => kvDemand({ lanes, length: tokens, shared }, room);
          if (length > 0) expect(demand(length)).toBeLessThanOrEqual(bytes);
          expect(demand(Math.max(length, shared) + 1)).toBeGreaterThan(bytes);
        },
      ),
    );
  });

  it('never rounds tokens up', () => {
    expect([999, 1024, 3628, 9999, 29023, 32768].map(tokensText)).toEqual(['999', '1k', '3.6k', '9.9k', '29k', '32k']);
  });

  it('refuses what makes no sense', () => {
    const room = { bytes: 1, bytesPerToken, precision: 'f16' } as const;
    expect(() => capacityMessage({ lanes: 0, length: 1 }, room)).toThrow(/lanes is 0/);
    expect(() => capacityMessage({ lanes: 1, length: 5, shared: 6 }, room)).toThrow(/shared is 6/);
  });
});
