/** Text that grows by every token is appended, never written again. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type BrowserModule, openModule } from '../support/browser.ts';
import type * as Cases from './cases/text-stream.ts';

type Shown = ReturnType<typeof Cases.show>;

let module: BrowserModule;

beforeAll(async () => {
  module = await openModule('chromium', new URL('./cases/text-stream.ts', import.meta.url));
});

afterAll(() => module?.close());

function segment(text: string, forced = false) {
  return { part: 'thinking', forced, text };
}

it('appends to what is there and starts afresh with another run', async () => {
  const { texts, kept, forced } = await module.call<Shown>('show', [
    [segment('try 9')],
    [segment('try 9*10=90\nback')],
    [segment('try 9*10=90\nback', false), segment(' so', true)],
  ]);
  expect(texts).toEqual(['try 9', 'try 9*10=90\nback', 'try 9*10=90\nback so']);
  expect(kept).toBe(true);
  expect(forced).toEqual([' so']);
  const again = await module.call<Shown>('show', [[segment('a long thought')], [], [segment('new')]]);
  expect(again.texts).toEqual(['a long thought', '', 'new']);
});

it('shows text that was taken back and written anew, be it as long as before', async () => {
  const versions = [[segment('try 9*10')], [segment('try 9+10')], [segment('try 9+10=19')]];
  const { texts } = await module.call<Shown>('show', versions, [0, 1, 1]);
  expect(texts).toEqual(['try 9*10', 'try 9+10', 'try 9+10=19']);
});

it('cuts long text into blocks without changing a character that is seen', async () => {
  const line = 'try 9*10=90 left 13 90\n90-13=77 yes\n\nback 13 9 10\n';
  const versions = Array.from({ length: 60 }, (_, i) => [segment(`${line.repeat(6 * (i + 1))}end`)]);
  versions.forEach((version, i) => {
    // A later text begins with all earlier ones.
    if (i > 0) version[0]!.text = versions[i - 1]![0]!.text + line;
  });
  const { texts, kept, blocks } = await module.call<Shown>('show', versions);
  const whole = versions.at(-1)![0]!.text;
  expect(texts.at(-1)!.trimEnd()).toBe(whole.trimEnd());
  expect(kept).toBe(true);
  expect(blocks).toBeGreaterThan(1);
});
