/** Reads a strategy's stream to its end and checks that it is well-formed. */
import { expect } from 'vitest';
import type { Answer, CostEvent, LaneTokenEvent, ReasoningEvent } from '../../src/strategies/types.ts';
import { extractAnswer } from '../../src/text/answer.ts';

export interface Told {
  events: ReasoningEvent[];
  answer: Answer;
}

export async function read(run: AsyncGenerator<ReasoningEvent, Answer, undefined>): Promise<Told> {
  const events: ReasoningEvent[] = [];
  for (;;) {
    const next = await run.next();
    if (next.done) return { events, answer: next.value };
    events.push(next.value);
  }
}

export function only<T extends ReasoningEvent['type']>(events: readonly ReasoningEvent[], type: T) {
  return events.filter((event): event is Extract<ReasoningEvent, { type: T }> => event.type === type);
}

export interface Written {
  /** Tokens that were not taken back. */
  kept: LaneTokenEvent[];
  thinking: string;
  answer: string;
}

/** What a lane's events amount to. */
export function replay(events: readonly ReasoningEvent[], lane: number): Written {
  const written: Written = { kept: [], thinking: '', answer: '' };
  for (const event of events) {
    if (!('lane' in event) || event.lane !== lane) continue;
    if (event.type === 'token') {
      written.kept.push(event);
      written[event.part] += event.text;
    } else if (event.type === 'rewind') {
      expect(event.tokens).toBeLessThanOrEqual(written.kept.length);
      expect(event.characters).toBeLessThanOrEqual(written.thinking.length);
      written.kept.splice(written.kept.length - event.tokens);
      written.thinking = written.thinking.slice(0, written.thinking.length - event.characters);
    }
  }
  return written;
}

function rises(before: CostEvent, after: CostEvent): void {
  expect(after.seconds).toBeGreaterThanOrEqual(before.seconds);
  for (const field of ['rows', 'sampled', 'flops', 'bytes'] as const) {
    expect(after.total[field]).toBeGreaterThanOrEqual(before.total[field]);
    for (const [i, lane] of before.lanes.entries()) expect(after.lanes[i]![field]).toBeGreaterThanOrEqual(lane[field]);
  }
}

/** Every promise of the event stream, for a run of `lanes` lanes that was read to its end. */
export function expectWellFormed({ events, answer }: Told, lanes: number): void {
  expect(structuredClone(events)).toEqual(events);
  const last = events.at(-1)!;
  expect(last).toEqual({ type: 'done', answer });
  expect(only(events, 'done')).toHaveLength(1);
  expect(answer.candidates).toHaveLength(lanes);

  const costs = only(events, 'cost');
  expect(costs.length).toBeGreaterThan(0);
  expect(costs.at(-1)!.total).toEqual(answer.usage.ledger);
  for (let i = 1; i < costs.length; i++) rises(costs[i - 1]!, costs[i]!);

  for (let lane = 0; lane < lanes; lane++) {
    const own = events.filter((event) => 'lane' in event && event.lane === lane);
    const order = own
      .map((event) => event.type)
      .filter((type) => type !== 'prune' && type !== 'score' && type !== 'select');
    expect(order[0]).toBe('lane');
    expect(order.at(-1)).toBe('candidate');
    const course = new Set(['token', 'rewind', 'steer']);
    expect(order.slice(1, -1).every((type) => course.has(type))).toBe(true);

    const candidate = answer.candidates[lane]!;
    expect(only(own, 'candidate')[0]!.candidate).toEqual(candidate);
    expect(candidate.lane).toBe(lane);
    expect(only(own, 'lane')[0]!.seed).toBe(candidate.seed);
    const tokens = only(own, 'token');
    expect(candidate.tokens).toBe(tokens.length);
    const { kept, thinking, answer: said } = replay(own, lane);
    const sampled = kept.filter((token) => !token.forced);
    expect(candidate.logprob.count).toBe(sampled.length);
    expect(candidate.logprob.sum).toBeCloseTo(
      sampled.reduce((sum, token) => sum + token.logprob, 0),
      9,
    );
    expect(thinking.trim()).toBe(candidate.reasoning);
    expect(extractAnswer(said)).toBe(candidate.answer);
    // Thinking comes first, and never again.
    const parts = tokens.map((token) => token.part);
    expect(parts.lastIndexOf('thinking')).toBeLessThan(
      parts.indexOf('answer') < 0 ? parts.length : parts.indexOf('answer'),
    );
    expect(only(own, 'prune').length).toBeLessThanOrEqual(1);
    if (candidate.finish === 'pruned') expect(only(own, 'prune')).toHaveLength(1);
    if (candidate.finish === 'pruned' || candidate.finish === 'abort') expect(candidate.verdict).toBeNull();
  }

  const sum = answer.candidates.reduce((total, candidate) => total + candidate.tokens, 0);
  expect(answer.usage.completionTokens).toBe(sum);
  const selected = only(events, 'select');
  if (answer.chosen === null) {
    expect(selected).toHaveLength(0);
    expect(answer.text).toBe('');
  } else {
    expect(selected).toEqual([{ type: 'select', lane: answer.chosen, reason: answer.reason }]);
    const chosen = answer.candidates[answer.chosen]!;
    expect([answer.text, answer.reasoning]).toEqual([chosen.answer, chosen.reasoning]);
  }
}
