import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StoredResults } from '../../src/lab/store.ts';
import { madeResults } from '../lab/made.ts';
import { type BrowserModule, openModule } from '../support/browser.ts';

describe("the lab's store in a browser", () => {
  let page: BrowserModule;
  beforeAll(async () => {
    page = await openModule('chromium', new URL('./cases/lab-store.ts', import.meta.url));
  });
  afterAll(() => page?.close());

  const load = (name: string) => page.call<StoredResults | null>('load', name);
  const byId = (results: StoredResults | null) =>
    new Map(results?.units.map((unit) => [unit.unit, unit] as const) ?? []);

  it('gives back what was put in, by name, and forgets it when told', async () => {
    const results = madeResults();
    const half = { ...results, units: results.units.slice(0, 3) };
    expect(await load('whole')).toBeNull();
    await page.call('fill', 'whole', results);
    // A name that begins like another's.
    await page.call('fill', 'whole 2', half);
    const stored = await load('whole');
    expect(stored!.header).toEqual(results.header);
    expect(byId(stored)).toEqual(byId(results));
    expect(byId(await load('whole 2'))).toEqual(byId(half));

    // The same unit twice is once.
    await page.call('fill', 'whole 2', results);
    expect(byId(await load('whole 2'))).toEqual(byId(results));
    await page.call('clear', 'whole');
    expect(await load('whole')).toBeNull();
    expect((await load('whole 2'))!.units).toHaveLength(results.units.length);
    expect(page.errors).toEqual([]);
  });
});
