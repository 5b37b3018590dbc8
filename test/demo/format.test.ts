import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { count, duration, meanLogprob, NONE, percent, si } from '../../demo/format.ts';

describe('si', () => {
  it.each([
    [0, '0 B'],
    [7, '7 B'],
    [0.5, '0.50 B'],
    [999, '999 B'],
    [999.7, '1.00 kB'],
    [1000, '1.00 kB'],
    [12_345, '12.3 kB'],
    [999_499, '999 kB'],
    [999_500, '1.00 MB'],
    [1_596_160, '1.60 MB'],
    [2.5e12, '2.50 TB'],
    [-4200, '−4.20 kB'],
  ])('%d bytes are %s', (value, text) => expect(si(value, 'B')).toBe(text));

  it('needs no unit, and has a dash for what is no number', () => {
    expect(si(798_080, '')).toBe('798 k');
    expect(si(42, '')).toBe('42');
    expect(si(Number.NaN, 'B')).toBe(NONE);
    expect(si(Number.POSITIVE_INFINITY, 'B')).toBe(NONE);
  });

  it('is within half a percent of the value', () => {
    fc.assert(
      fc.property(fc.double({ min: 1, max: 9e20, noNaN: true }), (value) => {
        const match = /^([\d.]+) ([kMGTPE]?)B$/.exec(si(value, 'B'))!;
        const factor = 1000 ** ['', 'k', 'M', 'G', 'T', 'P', 'E'].indexOf(match[2]!);
        expect(Math.abs(Number(match[1]) * factor - value) / value).toBeLessThanOrEqual(0.0051);
      }),
    );
  });
});

describe('other numbers', () => {
  it('groups thousands', () => {
    expect(count(1234567)).toBe('1\u202f234\u202f567');
    expect(count(999)).toBe('999');
  });

  it('tells durations', () => {
    expect(duration(0)).toBe('0.00 s');
    expect(duration(12.34)).toBe('12.3 s');
    expect(duration(59.97)).toBe('1 min 00 s');
    expect(duration(185)).toBe('3 min 05 s');
  });

  it('tells mean log-probabilities', () => {
    expect(meanLogprob({ sum: -3, count: 6 })).toBe('−0.50');
    expect(meanLogprob({ sum: -0.001, count: 6 })).toBe('0.00');
    expect(meanLogprob({ sum: 0, count: 0 })).toBe(NONE);
  });

  it('tells shares', () => {
    expect(percent(1, 3)).toBe('33 %');
    expect(percent(1, 1000)).toBe('<1 %');
    expect(percent(0, 3)).toBe('0 %');
    expect(percent(0, 0)).toBe('0 %');
    expect(percent(Number.NaN, Number.NaN)).toBe(NONE);
  });
});
