/** One lane to its end: think until the thinking is closed, by the model or by force, then answer. */
import type { FinishReason, GenerateOptions, Lane } from '../engine/types.ts';
import { extractAnswer } from '../text/answer.ts';
import type { Candidate, CandidateEvent, LaneEvent, LaneTokenEvent, StrategyContext } from './types.ts';

export type CandidateStreamEvent = LaneEvent | LaneTokenEvent | CandidateEvent;

export interface CandidatePlan {
  /** The lane, holding the prompt and nothing else. The caller disposes it. */
  readonly lane: Lane;
  /** Its number in the run. */
  readonly index: number;
  readonly seed: number;
  /** Ends the lane early; its candidate then has `finish: 'pruned'` where `pruned()` says so, else `'abort'`. */
  readonly signal: AbortSignal;
  readonly pruned: () => boolean;
}

class CandidateRun {
  readonly #context: StrategyContext;
  readonly #plan: CandidatePlan;
  readonly #promptLength: number;
  #thinking = '';
  #answer = '';
  /** The model answered without thinking, where the template leaves the opening to it. */
  #skipped = false;
  #tokens = 0;
  #sum = 0;
  #count = 0;

  constructor(context: StrategyContext, plan: CandidatePlan) {
    this.#context = context;
    this.#plan = plan;
    this.#promptLength = plan.lane.length;
  }

  async *events(): AsyncGenerator<CandidateStreamEvent, Candidate, undefined> {
    const { index, seed } = this.#plan;
    yield { type: 'lane', lane: index, seed };
    const finish = this.#context.dialect.thinks ? yield* this.#thinkAndAnswer() : yield* this.#answerOnly();
    const candidate = this.#conclude(finish);
    yield { type: 'candidate', lane: index, candidate };
    return candidate;
  }

  async *#thinkAndAnswer(): AsyncGenerator<LaneTokenEvent, FinishReason, undefined> {
    const { lane } = this.#plan;
    const { dialect, thinking } = this.#context;
    const finish = yield* this.#sample({ maxTokens: thinking.maxTokens, stopStrings: [dialect.marker] }, 'thinking');
    if (finish === 'abort') return finish;
    if (finish === 'stop' && this.#closed()) return yield* this.#answerOnly();
    if (this.#skipped) return finish;
    // It ended its turn in mid-thought: the end token is taken back, and the thinking closed like one that ran too long.
    if (finish === 'stop') lane.truncate(lane.length - 1);
    yield* this.#close();
    return yield* this.#answerOnly();
  }

  #answerOnly(): AsyncGenerator<LaneTokenEvent, FinishReason, undefined> {
    return this.#sample({ maxTokens: this.#context.answer.maxTokens }, 'answer');
  }

  /** Whether the thinking is open: by the template, or by the model, as far as its first characters tell. */
  #opened(): boolean {
    const { dialect } = this.#context;
    if (dialect.opened) return true;
    const written = this.#thinking.trimStart();
    return written.length < dialect.open.length ? dialect.open.startsWith(written) : written.startsWith(dialect.open);
  }

  async *#sample(
    limits: GenerateOptions,
    phase: LaneTokenEvent['part'],
  ): AsyncGenerator<LaneTokenEvent, FinishReason, undefined> {
    const { lane, index, seed, signal } = this.#plan;
    if (signal.aborted) return 'abort';
    const generation = lane.generate({ ...this.#context.sampling, ...limits, seed, signal })[Symbol.asyncIterator]();
    let over = false;
    try {
      for (;;) {
        const next = await generation.next();
        if (next.done) {
          over = true;
          return next.value;
        }
        const { token, text, logprob } = next.value;
        this.#tokens++;
        this.#sum += logprob;
        this.#count++;
        yield { type: 'token', lane: index, token, text, logprob, part: this.#write(text, phase), forced: false };
      }
    } finally {
      if (!over) await generation.return?.();
    }
  }

  /** Adds a token's text to the part it belongs to. */
  #write(text: string, phase: LaneTokenEvent['part']): LaneTokenEvent['part'] {
    if (phase === 'answer' || this.#skipped) {
      this.#answer += text;
      return 'answer';
    }
    this.#thinking += text;
    if (this.#opened()) return 'thinking';
    this.#answer = this.#thinking;
    this.#thinking = '';
    this.#skipped = true;
    return 'answer';
  }

  /** Whether the lane ends with the closing marker (rather than with an end token). */
  #closed(): boolean {
    const { engine, dialect } = this.#context;
    const { lane } = this.#plan;
    // The marker's characters span at most as many tokens; a template's own marker must not count.
    const from = Math.max(this.#promptLength, lane.length - dialect.marker.length);
    const tail = Array.from(lane.tokens.slice(from));
    const ids = engine.encode(dialect.marker);
    return (
      (ids.length > 0 && ids.every((id, i) => tail[tail.length - ids.length + i] === id)) ||
      engine.decode(tail).includes(dialect.marker)
    );
  }

  /** Appends the dialect's close. Forced tokens carry log-probability 0 and do not count in the candidate's sums. */
  async *#close(): AsyncGenerator<LaneTokenEvent, void, undefined> {
    const { engine, dialect } = this.#context;
    const { lane, index, signal } = this.#plan;
    if (signal.aborted) return;
    const ids = engine.encode(dialect.close);
    await lane.append(ids);
    const markerAt = dialect.close.indexOf(dialect.marker);
    let before = '';
    for (const [i, token] of ids.entries()) {
      const written = engine.decode(ids.slice(0, i + 1));
      const text = written.slice(before.length);
      // As with a close by the model, the marker itself belongs to neither part's text.
      const part = before.length <= markerAt ? 'thinking' : 'answer';
      const shown = written.length <= markerAt || before.length >= markerAt + dialect.marker.length ? text : '';
      if (part === 'thinking') this.#thinking += shown;
      else this.#answer += shown;
      before = written;
      this.#tokens++;
      yield { type: 'token', lane: index, token, text: shown, logprob: 0, part, forced: true };
    }
  }

  #conclude(finish: FinishReason): Candidate {
    const { verify, dialect } = this.#context;
    const { index, seed, pruned } = this.#plan;
    const ended = finish !== 'abort';
    const answer = extractAnswer(this.#answer, dialect);
    const reasoning = this.#thinking.trim();
    return {
      lane: index,
      seed,
      reasoning: (reasoning.startsWith(dialect.open) ? reasoning.slice(dialect.open.length) : reasoning).trim(),
      answer,
      tokens: this.#tokens,
      finish: ended ? finish : pruned() ? 'pruned' : 'abort',
      logprob: { sum: this.#sum, count: this.#count },
      // A lane that was cut off never gave its answer, so there is nothing to judge.
      verdict: ended && verify ? verify(answer) : null,
    };
  }
}

/**
 * Runs one lane to its end: a `lane` event, its tokens, then its `candidate`, which is also returned.
 *
 * At `thinking.maxTokens` without a close, the dialect's close is appended as forced tokens and the answer generated;
 * the same where the model ends its turn in mid-thought. The answer ends at its own limit; one given without thinking, by
 * a model that is free to skip it, ends at the thinking limit. Abandoning the iteration ends
 * the generation.
 */
export function runCandidate(
  context: StrategyContext,
  plan: CandidatePlan,
): AsyncGenerator<CandidateStreamEvent, Candidate, undefined> {
  return new CandidateRun(context, plan).events();
}
