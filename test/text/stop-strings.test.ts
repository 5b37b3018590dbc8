import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { StopMatcher } from '../../src/text/index.ts';
import { openSuffix } from '../../src/text/stop-strings.ts';
import { errorOf } from '../support/checkpoint.ts';

const letters = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 30 });
const stopsOf = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n'), minLength: 1, maxLength: 5 }), {
  maxLength: 3,
});

function run(pieces: readonly string[], stops: readonly string[]) {
  const matcher = new StopMatcher(stops);
  let text = '';
  for (const piece of pieces) text += matcher.push(piece).emit;
  const { stopped } = matcher;
  return { text: text + matcher.flush(), stopped };
}

/** Where the first stop is complete, by looking at every prefix. */
function reference(text: string, stops: readonly string[]) {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0];
    if (ending !== undefined) return { text: text.slice(0, end - ending.length), stopped: ending };
  }
  return { text, stopped: null };
}

describe('StopMatcher', () => {
  it('agrees with indexOf for one stop string', () => {
    fc.assert(
      fc.property(
        fc.array(letters, { maxLength: 8 }),
        fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 1, maxLength: 4 }),
        (pieces, stop) => {
          const text = pieces.join('');
          const at = text.indexOf(stop);
          expect(run(pieces, [stop])).toEqual(
            at < 0 ? { text, stopped: null } : { text: text.slice(0, at), stopped: stop },
          );
        },
      ),
    );
  });

  it('agrees with the first completed of several, however the text is cut', () => {
    fc.assert(
      fc.property(fc.array(letters, { maxLength: 8 }), stopsOf, (pieces, stops) => {
        const expected = reference(pieces.join(''), stops);
        expect(run(pieces, stops)).toEqual(expected);
        expect(run([...pieces.join('')], stops)).toEqual(expected);
      }),
      { numRuns: 500 },
    );
  });

  it('holds back the longest suffix that could start a stop string, and no more', () => {
    fc.assert(
      fc.property(letters, stopsOf, (text, stops) => {
        const matcher = new StopMatcher(stops);
        const { emit, stopped } = matcher.push(text);
        if (stopped !== null) return;
        const held = text.slice(emit.length);
        const could = (suffix: string) => stops.some((stop) => stop !== suffix && stop.startsWith(suffix));
        expect(held === '' || could(held)).toBe(true);
        for (let at = 0; at < emit.length; at++) expect(could(text.slice(at))).toBe(false);
        expect(openSuffix(text, stops)).toBe(held.length);
      }),
    );
  });

  it('says nothing after a stop', () => {
    const matcher = new StopMatcher(['\n\n']);
    expect(matcher.push('one\n')).toEqual({ emit: 'one', stopped: null });
    expect(matcher.push('\ntwo')).toEqual({ emit: '', stopped: '\n\n' });
    expect(matcher.push('three')).toEqual({ emit: '', stopped: '\n\n' });
    expect(matcher.flush()).toBe('');
  });

  it('refuses empty stop strings', async () => {
    const error = await errorOf(() => new StopMatcher(['a', '']));
    expect(isReckonError(error, 'bad-option') && error.message).toMatch(/Stop string 1 is ""/);
  });
});
