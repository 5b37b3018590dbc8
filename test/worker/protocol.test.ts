import { describe, expect, it } from 'vitest';
import { ReckonError } from '../../src/errors.ts';
import { outcomeOf, plainError, unwrap } from '../../src/worker/protocol.ts';

describe('errors across the boundary', () => {
  it('keep code, message, hint and details', async () => {
    const error = new ReckonError('over-capacity', 'Too long.', {
      hint: 'Shorten it.',
      details: { asked: 9, room: 4 },
    });
    const outcome = structuredClone(
      await outcomeOf(() => {
        throw error;
      }),
    );
    let thrown: unknown;
    try {
      unwrap(outcome);
    } catch (caught) {
      thrown = caught;
    }
    expect(thrown).toBeInstanceOf(ReckonError);
    const { code, message, hint, details } = thrown as ReckonError;
    expect({ code, message, hint, details }).toEqual({
      code: 'over-capacity',
      message: 'Too long. Shorten it.',
      hint: 'Shorten it.',
      details: { asked: 9, room: 4 },
    });
  });

  it('leave out details that cannot be cloned, and name other errors internal', () => {
    const odd = new ReckonError('internal', 'Odd.', { details: { call: () => 1 } });
    expect(plainError(odd)).toEqual({ code: 'internal', message: 'Odd.', hint: null, details: {} });
    expect(plainError(new TypeError('x is not a function'))).toMatchObject({
      code: 'internal',
      message: 'x is not a function',
    });
    expect(plainError('words').message).toBe('words');
  });

  it('values pass', async () => {
    expect(unwrap(await outcomeOf(() => 7))).toBe(7);
  });
});
