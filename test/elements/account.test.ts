import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Account } from '../../src/elements/account.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';
import type { BudgetEvent, CostEvent, DoneEvent, ReasoningEvent } from '../../src/strategies/types.ts';

function cost(seconds: number, sampled: number): CostEvent {
  const total = { rows: sampled, sampled, flops: 1000 * sampled, bytes: 10 * sampled, classes: zeroCosts() };
  return { type: 'cost', lanes: [], total, seconds };
}

function budget(seconds: number, tokens: number, state: BudgetEvent['state'] = 'running'): BudgetEvent {
  const spent = { tokens, seconds, eflops: 7 * tokens, bytes: 11 * tokens };
  return { type: 'budget', spent, budget: { tokens: 100, bytes: 5000 }, fraction: tokens / 100, state };
}

function done(seconds: number, sampled: number): DoneEvent {
  const ledger = cost(seconds, sampled).total;
  const usage = { promptTokens: 3, completionTokens: sampled, ledger, seconds };
  return { type: 'done', answer: { text: '', reasoning: '', chosen: null, reason: '', candidates: [], usage } };
}

function taken(...events: ReasoningEvent[]): Account {
  const account = new Account();
  for (const event of events) account.take(event);
  return account;
}

describe('the account of a run', () => {
  it('counts what a run without a budget costs', () => {
    const account = taken({ type: 'lane', lane: 0, seed: 1 }, cost(0.5, 10), cost(1, 30));
    expect(account.state).toBe('running');
    expect([account.tokens, account.seconds, account.flops, account.bytes]).toEqual([30, 1, 30_000, 300]);
    expect(account.eflops(562.5)).toBe(30_000 + 562.5 * 300);
    expect(account.eflops(2)).toBe(30_600);
    expect(account.pace).toBe(40);
    expect(account.gauges()).toEqual([]);
  });

  it('has a gauge for each limit, first as expected and then as the run tells', () => {
    const account = new Account();
    expect(account.gauges({ seconds: 4 })).toEqual([{ name: 'seconds', spent: 0, limit: 4 }]);
    account.take(budget(1, 50, 'concluding'));
    expect(account.state).toBe('concluding');
    expect(account.gauges({ seconds: 4 })).toEqual([
      { name: 'tokens', spent: 50, limit: 100 },
      { name: 'bytes', spent: 550, limit: 5000 },
    ]);
  });

  it('takes the last moments for the pace, and the whole run once it is over', () => {
    const account = taken(...Array.from({ length: 11 }, (_, i) => budget(i, i <= 5 ? 0 : 20 * (i - 5))));
    expect(account.pace).toBe(20);
    account.take(done(10, 100));
    expect(account.pace).toBe(10);
    expect(account.state).toBe('over');
  });

  it('starts afresh when a lane starts again, also behind a run that was aborted', () => {
    const start: ReasoningEvent = { type: 'lane', lane: 0, seed: 1 };
    const account = taken(start, { type: 'lane', lane: 1, seed: 2 }, budget(3, 90, 'spent'));
    expect(account.tokens).toBe(90);
    account.take(start);
    expect([account.state, account.tokens, account.seconds, account.flops]).toEqual(['running', 0, 0, 0]);
    expect(account.gauges()).toEqual([]);
  });

  it('ends without an event, but not before it began', () => {
    const account = new Account();
    account.end();
    expect(account.state).toBe('idle');
    account.take(cost(1, 1));
    account.end();
    expect(account.state).toBe('over');
  });

  it('never shows less time than before, nor a pace that is no number once time has passed', () => {
    const event = fc.oneof(
      fc.tuple(fc.nat(100), fc.nat(100)).map(([seconds, tokens]) => cost(seconds + 1, tokens)),
      fc.tuple(fc.nat(100), fc.nat(100)).map(([seconds, tokens]) => budget(seconds + 1, tokens)),
    );
    fc.assert(
      fc.property(fc.array(event, { minLength: 1, maxLength: 30 }), (events) => {
        const account = new Account();
        let before = 0;
        for (const next of events) {
          account.take(next);
          expect(account.seconds).toBeGreaterThanOrEqual(before);
          expect(Number.isFinite(account.pace)).toBe(true);
          before = account.seconds;
        }
      }),
    );
  });
});
