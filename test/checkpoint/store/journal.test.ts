import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { modelOrigin } from '../../../src/checkpoint/hub/reference.ts';
import { Intervals } from '../../../src/checkpoint/store/intervals.ts';
import { readJournal, storedModel } from '../../../src/checkpoint/store/journal.ts';

describe('Intervals', () => {
  it('are a set of bytes', () => {
    const range = fc.tuple(fc.nat(60), fc.nat(12)).map(([start, length]) => ({ start, end: start + length }));
    fc.assert(
      fc.property(
        fc.array(range, { maxLength: 12 }),
        fc.nat(75),
        fc.integer({ min: 1, max: 9 }),
        (added, size, most) => {
          const intervals = new Intervals();
          const bytes = new Set<number>();
          for (const { start, end } of added) {
            intervals.add(start, end);
            for (let i = start; i < end; i++) bytes.add(i);
          }
          expect(intervals.size).toBe(bytes.size);
          let prefix = 0;
          while (bytes.has(prefix)) prefix++;
          expect(intervals.prefix).toBe(prefix);
          const missing: number[] = [];
          for (const { start, end } of intervals.gaps(size, most)) {
            expect(end - start).toBeGreaterThan(0);
            expect(end - start).toBeLessThanOrEqual(most);
            for (let i = start; i < end; i++) missing.push(i);
          }
          expect(missing).toEqual(Array.from({ length: size }, (_, i) => i).filter((i) => !bytes.has(i)));
          for (const { start, end } of added) expect(intervals.covers(start, end)).toBe(true);
          // Neighbours that touch are one.
          intervals.ranges.forEach(({ start }, i, all) => {
            if (i > 0) expect(start).toBeGreaterThan(all[i - 1]!.end);
          });
        },
      ),
    );
  });
});

describe('readJournal', () => {
  const file = (path: string, size: number) => ({ path, size, digest: null, etag: null });
  const lines = [
    {
      format: 'reckon-model',
      version: 1,
      origin: modelOrigin('maker/möbel-2'.replace('ö', 'o')),
      name: 'maker/möbel',
      created: 5,
    },
    { files: [file('a.bin', 100), file('b.json', 10)], revision: 'c0ffee' },
    { here: 'a.bin', start: 0, end: 40 },
    { here: 'b.json', start: 0, end: 10 },
    { verified: 'b.json' },
    { here: 'a.bin', start: 60, end: 100 },
    { here: 'a.bin', start: 40, end: 60 },
    { verified: 'a.bin' },
  ];
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');

  it('counts whole lines, wherever it was cut off, and says where they end', () => {
    const starts = [0, 0, 0, 40, 50, 50, 90, 110, 110];
    for (let length = 0; length <= text.length; length++) {
      const cut = text.slice(0, length);
      const whole = cut.split('\n').length - 1;
      const read = readJournal(cut);
      if (whole === 0) {
        expect(read).toBeNull();
        continue;
      }
      const model = storedModel('key', read!.state);
      expect(model.bytes).toBe(starts[whole]);
      expect(model.complete).toBe(whole === lines.length);
      expect(read!.bytes).toBe(Buffer.byteLength(cut.slice(0, cut.lastIndexOf('\n') + 1)));
    }
  });

  it('stops at a damaged line, and takes nothing else for a journal', () => {
    const damaged = text.replace('{"here":"b.json"', '{"here":"b.js');
    expect(storedModel('key', readJournal(damaged)!.state).bytes).toBe(40);
    for (const other of ['', '\n', '{}\n', 'null\n', '[1]\n', '{"format":"reckon-lab","version":1}\n']) {
      expect(readJournal(other)).toBeNull();
    }
  });

  it('keeps what is here of files that a new list has just so, and forgets the rest', () => {
    const digest = (hex: string) => ({ algorithm: 'sha256', hex });
    const relist = (now: object) => {
      const state = readJournal(
        [
          lines[0],
          { files: [{ ...file('a.bin', 100), digest: digest('aa'), etag: 'x' }], revision: null },
          { here: 'a.bin', start: 0, end: 100 },
          { verified: 'a.bin' },
          { files: [{ ...file('a.bin', 100), ...now }], revision: null },
        ]
          .map((line) => `${JSON.stringify(line)}\n`)
          .join(''),
      )!.state;
      const { bytes, complete } = storedModel('key', state);
      return [bytes, complete];
    };
    expect(relist({ digest: digest('aa'), etag: 'y' })).toEqual([100, true]);
    expect(relist({ digest: digest('bb') })).toEqual([0, false]);
    expect(relist({ size: 101, digest: digest('aa') })).toEqual([0, false]);
    expect(relist({ etag: 'x' })).toEqual([100, true]);
    expect(relist({ etag: 'y' })).toEqual([0, false]);
  });
});
