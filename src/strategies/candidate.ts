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
  /** Text that may still be, or become, the opening marker; null once that is decided. */
  #head: string | null = '';
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
    const { conclude } = this.#context;
    const { signal } = this.#plan;
    const ends = conclude ? AbortSignal.any([signal, conclude]) : signal;
    const finish = yield* this.#sample(
      { maxTokens: thinking.maxTokens, stopStrings: [dialect.marker], signal: ends },
      'thinking',
    );
    if (signal.aborted || (finish === 'abort' && !conclude?.aborted)) return 'abort';
    // Told to conclude in mid-answer: what there is has to do.
    if (finish === 'abort' && this.#skipped) return 'length';
    if (finish === 'stop' && this.#closed()) return yield* this.#answerOnly();
    if (this.#skipped) return finish;
    // It ended its turn in mid-thought: the end token is taken back, and the thinking closed like one that ran too long.
    if (finish === 'stop') lane.truncate(lane.length - 1);
    yield* this.#close();
    return yield* this.#answerOnly();
  }

  #answerOnly(): AsyncGenerator<LaneTokenEvent, FinishReason, undefined> {
    return this.#sample({ ...this.#context.answer, signal: this.#plan.signal }, 'answer');
  }

  async *#sample(
    limits: GenerateOptions,
    phase: LaneTokenEvent['part'],
  ): AsyncGenerator<LaneTokenEvent, FinishReason, undefined> {
    const { lane, index, seed } = this.#plan;
    if (limits.signal?.aborted) return 'abort';
    const generation = lane.generate({ ...this.#context.sampling, ...limits, seed })[Symbol.asyncIterator]();
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
        yield { type: 'token', lane: index, token, logprob, ...this.#write(text, phase), forced: false };
        if (this.#skipped && this.#cutAtStop()) return 'stop';
      }
    } finally {
      if (!over) await generation.return?.();
    }
  }

  /** Adds a token's text to the part it belongs to; the opening marker belongs to none, and is waited for. */
  #write(text: string, phase: LaneTokenEvent['part']): Pick<LaneTokenEvent, 'part' | 'text'> {
    if (phase === 'answer' || this.#skipped) {
      this.#answer += text;
      return { part: 'answer', text };
    }
    const ready = this.#head === null ? text : this.#behindOpening(this.#head + text);
    if (this.#skipped) {
      this.#answer += ready;
      return { part: 'answer', text: ready };
    }
    this.#thinking += ready;
    return { part: 'thinking', text: ready };
  }

  /** The first text without the opening marker; nothing while that may still be coming. */
  #behindOpening(head: string): string {
    const { open, opened } = this.#context.dialect;
    const written = head.trimStart();
    if (written.length < open.length && open.startsWith(written)) {
      this.#head = head;
      return '';
    }
    this.#head = null;
    if (written.startsWith(open)) return written.slice(open.length);
    this.#skipped = !opened;
    return head;
  }

  /** Ends an answer that came without thinking at a stop string, which the engine was not asked to look for. */
  #cutAtStop(): boolean {
    const places = (this.#context.answer.stopStrings ?? []).map((stop) => this.#answer.indexOf(stop));
    const first = Math.min(...places.filter((place) => place >= 0));
    if (first === Number.POSITIVE_INFINITY) return false;
    this.#answer = this.#answer.slice(0, first);
    return true;
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
    return {
      lane: index,
      seed,
      reasoning: this.#thinking.trim(),
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
 * the same where the model ends its turn in mid-thought, or where `conclude` fires. The answer ends at its own limit or a
 * stop string; one given without thinking, by a model that is free to skip it, ends at the thinking limit. Abandoning the
 * iteration ends the generation.
 */
export function runCandidate(
  context: StrategyContext,
  plan: CandidatePlan,
): AsyncGenerator<CandidateStreamEvent, Candidate, undefined> {
  return new CandidateRun(context, plan).events();
}
