import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { announcements } from '../../demo/announce.ts';
import { IDLE, isActive, type RunView, reduceRun } from '../../demo/state.ts';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';
import type { Answer, Candidate, ReasoningEvent } from '../../src/strategies/types.ts';

function snapshot(sampled: number): LedgerSnapshot {
  return { rows: sampled, sampled, flops: 100 * sampled, bytes: 10 * sampled, classes: zeroCosts() };
}

function token(lane: number, text: string, more: Partial<Extract<ReasoningEvent, { type: 'token' }>> = {}) {
  return {
    type: 'token',
    lane,
    token: 7,
    text,
    logprob: -0.5,
    part: 'thinking',
    forced: false,
    ...more,
  } satisfies ReasoningEvent;
}

function candidate(lane: number, correct: boolean): Candidate {
  return {
    lane,
    seed: 40 + lane,
    reasoning: 'r',
    answer: `answer ${lane}`,
    tokens: 9,
    finish: 'stop',
    logprob: { sum: -3, count: 6 },
    verdict: { correct, reason: correct ? 'It holds.' : 'It does not hold.' },
  };
}

function answerOf(candidates: Candidate[], chosen: number | null): Answer {
  return {
    text: chosen === null ? '' : candidates[chosen]!.answer,
    reasoning: '',
    chosen,
    reason: 'The verifier accepts it.',
    candidates,
    usage: { promptTokens: 3, completionTokens: 18, ledger: snapshot(18), seconds: 2 },
  };
}

function started(lanes: number): RunView {
  return reduceRun(IDLE, { type: 'start', lanes });
}

function take(view: RunView, ...events: ReasoningEvent[]): RunView {
  return reduceRun(view, { type: 'events', events });
}

describe('a run as its reader sees it', () => {
  it('shows every lane as soon as it starts', () => {
    const view = started(8);
    expect(view.phase).toBe('running');
    expect(view.lanes.map((lane) => [lane.lane, lane.status])).toEqual(
      Array.from({ length: 8 }, (_, i) => [i, 'waiting']),
    );
  });

  it('joins tokens of a kind and keeps kinds apart', () => {
    const view = take(
      started(1),
      { type: 'lane', lane: 0, seed: 5 },
      token(0, 'try'),
      token(0, ' 9'),
      token(0, '', { forced: true }),
      token(0, '\n', { part: 'answer' }),
      token(0, '9*10', { part: 'answer' }),
      token(0, '=90', { part: 'answer' }),
    );
    const lane = view.lanes[0]!;
    expect(lane.segments).toEqual([
      { part: 'thinking', forced: false, text: 'try 9' },
      { part: 'answer', forced: false, text: '9*10=90' },
    ]);
    expect(lane.closed).toBe('limit');
    expect(lane.tokens).toBe(6);
    expect(lane.logprob).toEqual({ sum: -2.5, count: 5 });
    expect(lane.status).toBe('running');
  });

  it('tells a close by the model from one by the limit', () => {
    const view = take(started(1), token(0, 'so'), token(0, '4', { part: 'answer' }));
    expect(view.lanes[0]!.closed).toBe('model');
    expect(take(started(1), token(0, 'so')).lanes[0]!.closed).toBeNull();
  });

  it('tells a cue in the thinking from its close, and a close by the budget from one by the limit', () => {
    const cue: ReasoningEvent = { type: 'steer', lane: 0, action: 'cue', reason: 'It ended early.' };
    const cued = take(started(1), token(0, 'so'), cue, token(0, ' Wait,', { forced: true }));
    expect(cued.lanes[0]!.closed).toBeNull();
    expect(cued.lanes[0]!.steers).toEqual([{ action: 'cue', reason: 'It ended early.' }]);
    const later = take(cued, token(0, ' no'), token(0, '4', { part: 'answer' }));
    expect(later.lanes[0]!.closed).toBe('model');
    const close: ReasoningEvent = { type: 'steer', lane: 0, action: 'close', reason: 'The budget is nearly spent.' };
    const closed = take(cued, close, token(0, '', { forced: true }), token(0, '4', { part: 'answer' }));
    expect(closed.lanes[0]!.closed).toBe('steered');
  });

  it('takes text back over the edges of segments', () => {
    const before = take(started(1), token(0, 'abc'), token(0, ' Wait,', { forced: true }), token(0, ' de'));
    const back = take(before, { type: 'rewind', lane: 0, tokens: 3, characters: 10 });
    expect(back.lanes[0]!.segments).toEqual([{ part: 'thinking', forced: false, text: 'ab' }]);
    expect(back.lanes[0]!.tokens).toBe(3);
    const on = take(back, token(0, 'X'));
    expect(on.lanes[0]!.segments).toEqual([{ part: 'thinking', forced: false, text: 'abX' }]);
    expect([before.lanes[0]!.rewinds, on.lanes[0]!.rewinds]).toEqual([0, 1]);
    expect(before.lanes[0]!.segments).toHaveLength(3);
  });

  it('marks verdicts, the pruned and the chosen', () => {
    const first = candidate(0, false);
    const second = candidate(1, true);
    const third: Candidate = { ...candidate(2, false), finish: 'pruned', verdict: null };
    const view = take(
      started(3),
      { type: 'candidate', lane: 0, candidate: first },
      { type: 'score', lane: 0, score: 0, verdict: first.verdict! },
      { type: 'candidate', lane: 1, candidate: second },
      { type: 'prune', lane: 2, reason: 'Lane 2 is right already.' },
      { type: 'candidate', lane: 2, candidate: third },
      { type: 'select', lane: 1, reason: 'The verifier accepts it.' },
      { type: 'done', answer: answerOf([first, second, third], 1) },
    );
    expect(view.lanes.map((lane) => lane.verdict?.correct)).toEqual([false, true, undefined]);
    expect(view.lanes.map((lane) => lane.chosen)).toEqual([false, true, false]);
    expect(view.lanes[2]).toMatchObject({ status: 'pruned', pruned: 'Lane 2 is right already.' });
    expect(view.choice).toEqual({ lane: 1, reason: 'The verifier accepts it.' });
    expect(view.answer?.text).toBe('answer 1');
    const said = announcements(started(3), view).join(' ');
    expect(said).toContain('Lane 1 is wrong: It does not hold.');
    expect(said).toContain('Lane 2 is right.');
    expect(said).toContain('Lane 3 stopped early');
    expect(said).toContain('Chosen: lane 2, answer 1.');
  });

  it('keeps costs by lane and in all', () => {
    const view = take(started(2), {
      type: 'cost',
      lanes: [snapshot(4), snapshot(6)],
      total: snapshot(12),
      seconds: 0.5,
    });
    expect(view.lanes.map((lane) => lane.cost?.sampled)).toEqual([4, 6]);
    expect(view.cost?.total.flops).toBe(1200);
    expect(view.cost?.history).toEqual([{ seconds: 0.5, flops: 1200, bytes: 120, tokens: 12, classes: zeroCosts() }]);
    expect([view.cost?.timing, view.cost?.dense]).toEqual([null, null]);
    const timing = { steps: 9, measuredMs: 17, predictedMs: 16, medianError: 0.06 };
    const timed = take(view, { type: 'cost', lanes: [], total: snapshot(20), seconds: 1, timing });
    expect(timed.cost?.timing).toEqual(timing);
    // A last event without it does not take it away.
    expect(take(timed, { type: 'cost', lanes: [], total: snapshot(20), seconds: 1 }).cost?.timing).toEqual(timing);
  });

  it('keeps what was written when it is stopped, and lets no lane run on', () => {
    const running = take(started(2), token(0, 'half a thought'));
    const stopping = reduceRun(running, { type: 'stop' });
    expect(stopping.phase).toBe('stopping');
    expect(isActive(stopping)).toBe(true);
    const over = reduceRun(stopping, { type: 'end', how: 'stopped' });
    expect(isActive(over)).toBe(false);
    expect(over.lanes.map((lane) => lane.status)).toEqual(['abort', 'abort']);
    expect(over.lanes[0]!.segments[0]!.text).toBe('half a thought');
    expect(announcements(running, stopping)).toEqual(['Stopping.']);
    expect(reduceRun(over, { type: 'stop' })).toBe(over);
  });

  it('starts the next run with nothing of the last', () => {
    const over = reduceRun(take(started(2), token(1, 'x')), { type: 'end', how: 'finished' });
    expect(reduceRun(over, { type: 'start', lanes: 4 })).toEqual(started(4));
  });
});

const anyEvent: fc.Arbitrary<ReasoningEvent> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc
      .record({ lane: fc.nat(5), text: fc.string({ maxLength: 4 }), answer: fc.boolean(), forced: fc.boolean() })
      .map(({ lane, text, answer, forced }) => token(lane, text, { part: answer ? 'answer' : 'thinking', forced })),
  },
  fc.nat(5).map((lane): ReasoningEvent => ({ type: 'lane', lane, seed: lane })),
  fc.tuple(fc.nat(5), fc.boolean()).map(
    ([lane, correct]): ReasoningEvent => ({
      type: 'candidate',
      lane,
      candidate: candidate(lane, correct),
    }),
  ),
  fc.nat(5).map((lane): ReasoningEvent => ({ type: 'select', lane, reason: 'because' })),
  fc.nat(5).map((lane): ReasoningEvent => ({ type: 'prune', lane, reason: 'because' })),
  fc
    .tuple(fc.nat(5), fc.nat(9))
    .map(([lane, n]): ReasoningEvent => ({ type: 'rewind', lane, tokens: n, characters: n })),
  fc.nat(5).map((lane): ReasoningEvent => ({ type: 'steer', lane, action: 'cue', reason: 'because' })),
  fc.nat(100).map((n): ReasoningEvent => ({ type: 'cost', lanes: [snapshot(n)], total: snapshot(n), seconds: n })),
);

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    Object.values(value).forEach(frozen);
  }
  return value;
}

describe('batches of events', () => {
  it('give the same view however they are cut, and leave the view before as it was', () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { maxLength: 40 }), fc.array(fc.nat(40), { maxLength: 6 }), (events, cuts) => {
        const whole = take(started(3), ...events);
        let view = frozen(started(3));
        const edges = [0, ...cuts.map((cut) => Math.min(cut, events.length)).sort((a, b) => a - b), events.length];
        for (let i = 1; i < edges.length; i++) view = frozen(take(view, ...events.slice(edges[i - 1], edges[i])));
        expect(view).toEqual(whole);
      }),
    );
  });

  it('leave lanes they do not touch identical', () => {
    const before = take(started(3), token(0, 'a'), token(1, 'b'));
    const after = take(before, token(1, 'c'));
    expect(after.lanes[0]).toBe(before.lanes[0]);
    expect(after.lanes[2]).toBe(before.lanes[2]);
    expect(after.lanes[1]).not.toBe(before.lanes[1]);
  });
});
