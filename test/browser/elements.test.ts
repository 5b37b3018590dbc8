/** `<reckon-budget>` in a bare page, beside foreign CSS. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { zeroCosts } from '../../src/ledger/cost.ts';
import type { Budget } from '../../src/strategies/budget.ts';
import type { BudgetEvent, ReasoningEvent } from '../../src/strategies/types.ts';
import { type BrowserModule, openModule } from '../support/browser.ts';
import type * as Cases from './cases/budget.ts';

let module: BrowserModule;
const seen = () => module.call<ReturnType<typeof Cases.seen>>('seen');
const push = (...events: ReasoningEvent[]) => module.call('push', events);

beforeAll(async () => {
  module = await openModule('chromium', new URL('./cases/budget.ts', import.meta.url));
});

afterAll(() => module?.close());

function cost(seconds: number, sampled: number): ReasoningEvent {
  const total = { rows: sampled, sampled, flops: 1e6 * sampled, bytes: 1e3 * sampled, classes: zeroCosts() };
  return { type: 'cost', lanes: [], total, seconds };
}

function spent(tokens: number, budget: Budget, state: BudgetEvent['state']): ReasoningEvent {
  const so = { tokens, seconds: tokens / 100, eflops: 2e6 * tokens, bytes: 1e3 * tokens };
  return { type: 'budget', spent: so, budget, fraction: tokens / 1000, state };
}

describe('<reckon-budget>', () => {
  it('shows the running cost of a run without a budget, whatever the page around it looks like', async () => {
    await module.call('place', 'light', 300);
    const empty = await seen();
    expect(empty.figures.tokens).toBe('–');
    expect(empty.meters).toEqual([]);
    await push({ type: 'lane', lane: 0, seed: 1 }, cost(0.5, 100), cost(1, 250));
    const now = await seen();
    expect(now.figures).toEqual({
      tokens: '250',
      pace: '300',
      seconds: '1.00 s',
      flops: '250 MFLOP',
      bytes: '250 kB',
      eflops: '391 M',
    });
    expect(now.size).toBe('15px');
    expect(now.colour).not.toBe('rgb(255, 0, 0)');
    expect(now.overflow).toBeLessThanOrEqual(0);
    await module.call('set', { intensity: 4 });
    expect((await seen()).figures.eflops).toBe('251 M');
  });

  it('gauges each limit, and tells a screen reader when it is nearly spent', async () => {
    await module.call('place', 'dark', 300);
    const budget = { tokens: 1000, seconds: 20, eflops: 4e9, bytes: 2e6 };
    await module.call('set', { budget });
    expect((await seen()).meters.map(({ name, now, max }) => [name, now, max])).toEqual([
      ['Tokens spent', 0, 1000],
      ['Time spent', 0, 20],
      ['eFLOP spent', 0, 4e9],
      ['Memory spent', 0, 2e6],
    ]);
    await push({ type: 'lane', lane: 0, seed: 1 }, spent(500, budget, 'running'));
    const half = await seen();
    expect(half.meters.map(({ words }) => words)).toEqual([
      '500 of 1\u202f000',
      '5.00 s of 20.0 s',
      '1.00 GeFLOP of 4.00 GeFLOP',
      '500 kB of 2.00 MB',
    ]);
    expect(half.meters.map(({ filled }) => filled)).toEqual([
      'width:50.0%',
      'width:25.0%',
      'width:25.0%',
      'width:25.0%',
    ]);
    expect(half.meters.every(({ height }) => height === 6)).toBe(true);
    expect([half.state, half.news]).toEqual(['Running', '']);
    await push(spent(900, budget, 'concluding'));
    expect(await seen()).toMatchObject({
      state: 'Concluding: lanes answer now',
      news: expect.stringMatching(/nearly spent/),
    });
    await push(spent(1010, budget, 'spent'));
    const over = await seen();
    expect(over.news).toMatch(/is spent/);
    // No further than full, and the words say by how much.
    expect(over.meters[0]).toMatchObject({ now: 1000, words: '1\u202f010 of 1\u202f000', filled: 'width:100.0%' });
    expect(over.overflow).toBeLessThanOrEqual(0);
  });

  it('takes events as a list that grows, and starts afresh with another', async () => {
    await module.call('place', 'light', 300);
    const first: ReasoningEvent[] = [{ type: 'lane', lane: 0, seed: 1 }, cost(1, 10)];
    await module.call('set', { events: first });
    expect((await seen()).figures.tokens).toBe('10');
    await module.call('set', { events: [cost(1, 4)] });
    expect((await seen()).figures.tokens).toBe('4');
    await module.call('call', 'end');
    await module.call('call', 'reset');
    expect((await seen()).figures.tokens).toBe('–');
    expect(module.errors).toEqual([]);
  });
});
