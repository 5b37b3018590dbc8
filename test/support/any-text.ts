import fc from 'fast-check';

/** Code points without the halves of surrogate pairs. */
const point = (max: number) =>
  fc.integer({ min: 0, max: max - 0x800 }).map((code) => String.fromCodePoint(code < 0xd800 ? code : code + 0x800));

/**
 * Any text: of all of Unicode, with ASCII and its control characters often enough to meet each other. As fast-check's
 * `string({ unit: 'binary' })`, which takes a second to make.
 */
export const anyText = (constraints: fc.StringConstraints = {}): fc.Arbitrary<string> =>
  fc.string({
    ...constraints,
    unit: fc.oneof(
      fc.integer({ min: 0, max: 0x7f }).map((code) => String.fromCharCode(code)),
      point(0xffff),
      point(0x10ffff),
    ),
  });
