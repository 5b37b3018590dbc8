/** One lane to its end: think until the thinking is closed, by the model, a governor or a limit, then answer. */
import type { FinishReason, GenerateOptions, Lane, Ledger } from '../engine/types.ts';
import { extractAnswer } from '../text/answer.ts';
import { firstOrder, type Governor, governorsOf, type Order, type Thought } from './governors/index.ts';
import type { Share } from './purse.ts';
import { Transcript } from './transcript.ts';
import type {
  Candidate,
  CandidateEvent,
  LaneEvent,
  LaneTokenEvent,
  RewindEvent,
  SteerEvent,
  StrategyContext,
} from './types.ts';

type CourseEvent = LaneTokenEvent | RewindEvent | SteerEvent;
export type CandidateStreamEvent = LaneEvent | CourseEvent | CandidateEvent;
type Course<T> = AsyncGenerator<CourseEvent, T, undefined>;

export interface CandidatePlan {
  /** The lane, holding the prompt and nothing else. The caller disposes it. */
  readonly lane: Lane;
  /** Its number in the run. */
  readonly index: number;
  readonly seed: number;
  /** Its part of the run's budget. */
  readonly share: Share;
  /** Adds what a lane on the side costs to this one's account. */
  readonly charge: (ledger: Ledger) => void;
  /** Ends the lane early; its candidate then has `finish: 'pruned'` where `pruned()` says so, else `'abort'`. */
  readonly signal: AbortSignal;
  readonly pruned: () => boolean;
}

/** How one call of `generate` ended. */
interface Stretch {
  /** `order`: a governor spoke. `late`: time is up. `marker`: the marker or a stop string came across a seam. */
  readonly end: FinishReason | 'order' | 'late' | 'marker';
  readonly order: Order | null;
  readonly tokens: number;
}

class CandidateRun {
  readonly #context: StrategyContext;
  readonly #plan: CandidatePlan;
  readonly #promptLength: number;
  readonly #transcript: Transcript;
  readonly #governors: readonly Governor[];
  #seed: number;

  constructor(context: StrategyContext, plan: CandidatePlan) {
    this.#context = context;
    this.#plan = plan;
    this.#seed = plan.seed;
    this.#promptLength = plan.lane.length;
    const { engine, dialect, answer } = context;
    this.#transcript = new Transcript({
      lane: plan.index,
      dialect,
      stopStrings: answer.stopStrings ?? [],
      decode: (tokens) => engine.decode(tokens),
    });
    this.#governors = governorsOf(context, (_, maxTokens) => this.#probe(maxTokens));
  }

  async *events(): AsyncGenerator<CandidateStreamEvent, Candidate, undefined> {
    const { index, seed, share } = this.#plan;
    yield { type: 'lane', lane: index, seed };
    try {
      const finish = this.#context.dialect.thinks ? yield* this.#thinkAndAnswer() : yield* this.#answerOnly();
      yield* this.#transcript.flush();
      const candidate = this.#conclude(finish);
      share.end();
      yield { type: 'candidate', lane: index, candidate };
      return candidate;
    } finally {
      share.end();
    }
  }

  get #thought(): Thought {
    const { held, spent } = this.#transcript;
    return { held, spent, lane: this.#plan.lane, seed: this.#plan.seed };
  }

  async *#thinkAndAnswer(): Course<FinishReason> {
    const end = yield* this.#think();
    if (end !== 'closed' && end !== 'unclosed') return end;
    if (end === 'unclosed') yield* this.#close();
    return yield* this.#answerOnly();
  }

  /** `unclosed`: the thinking is over, and the marker is still to be written. */
  async *#think(): Course<FinishReason | 'closed' | 'unclosed'> {
    const transcript = this.#transcript;
    const { signal, share } = this.#plan;
    const { conclude } = this.#context;
    const over = () => (signal.aborted ? 'abort' : transcript.skipped ? 'length' : 'unclosed');
    for (let obeyed = false; ; ) {
      const spoken: Order | null = obeyed ? null : await this.#pause();
      if (signal.aborted) return 'abort';
      obeyed = spoken !== null;
      if (spoken) {
        yield* this.#obey(spoken);
        if (spoken.action === 'close') return over();
        continue;
      }
      const wanted = this.#reach();
      if (wanted < 1 || conclude?.aborted) return over();
      const granted = share.grant(wanted, 'thinking');
      if (granted < 1) {
        yield this.#steer('close', 'The budget is nearly spent.');
        return over();
      }
      const { end, order, tokens } = yield* this.#generate(granted, 'thinking');
      share.settle();
      if (signal.aborted) return 'abort';
      if (end === 'order' && order) {
        yield* this.#obey(order);
        if (order.action === 'close') return over();
        obeyed = true;
      } else if (end === 'late') {
        yield this.#steer('close', 'The time is nearly over.');
        return over();
      } else if (end === 'stop' || end === 'marker') {
        const closing = this.#closing(end === 'marker');
        if (transcript.skipped) return closing.closed ? 'closed' : 'stop';
        const refused = firstOrder(this.#governors, (governor) => governor.close?.(closing, this.#thought));
        if (!refused) {
          if (closing.closed) return 'closed';
          // It ended its turn in mid-thought: the end token is taken back, and the thinking closed for it.
          yield* this.#takeBack(closing.before);
          return 'unclosed';
        }
        yield* this.#obey(refused);
        obeyed = true;
      } else if (end === 'abort') return conclude?.aborted ? over() : 'abort';
      // Short of what was granted: the context is full.
      else if (tokens < granted) return over();
    }
  }

  async *#answerOnly(): Course<FinishReason> {
    const { share } = this.#plan;
    yield* this.#transcript.flush();
    this.#transcript.beginAnswer();
    for (let left = this.#context.answer.maxTokens; left > 0; ) {
      const granted = share.grant(left, 'answer');
      if (granted < 1) return 'length';
      const { end, tokens } = yield* this.#generate(granted, 'answer');
      share.settle();
      if (end === 'marker' || end === 'stop') return 'stop';
      if (end !== 'length' || tokens < granted) return end === 'abort' ? 'abort' : 'length';
      left -= tokens;
    }
    return 'length';
  }

  /** Asks the governors for orders before a stretch. */
  async #pause(): Promise<Order | null> {
    if (this.#transcript.skipped) return null;
    for (const governor of this.#governors) {
      const order = await governor.pause?.(this.#thought);
      if (order) return order;
    }
    return null;
  }

  /** Tokens until the limit, or until a governor wants to be asked. */
  #reach(): number {
    const thought = this.#thought;
    const left = this.#context.thinking.maxTokens - thought.spent;
    if (this.#transcript.skipped) return left;
    return this.#governors.reduce((least, governor) => Math.min(least, governor.reach?.(thought) ?? left), left);
  }

  async *#generate(granted: number, part: LaneTokenEvent['part']): Course<Stretch> {
    const { lane, share } = this.#plan;
    const transcript = this.#transcript;
    const thinking = part === 'thinking';
    const options = this.#options(granted, thinking);
    if (options.signal?.aborted) return { end: 'abort', order: null, tokens: 0 };
    const generation = lane.generate(options)[Symbol.asyncIterator]();
    let over = false;
    let tokens = 0;
    try {
      for (;;) {
        const next = await generation.next().catch((error: unknown) => {
          over = true;
          throw error;
        });
        if (next.done) {
          over = true;
          return { end: next.value, order: null, tokens };
        }
        tokens++;
        share.count(1);
        const { events, stopped } = transcript.sampled(next.value, tokens === granted);
        yield* events;
        if (stopped) return { end: 'marker', order: null, tokens };
        if (!thinking) continue;
        const order = transcript.skipped ? null : this.#heard(next.value.token);
        if (order) return { end: 'order', order, tokens };
        if (share.late()) return { end: 'late', order: null, tokens };
      }
    } finally {
      if (!over) {
        await generation.return?.();
        // The lane may have run ahead of who reads it.
        if (thinking) lane.truncate(Math.min(lane.length, this.#promptLength + transcript.held));
      }
    }
  }

  #options(maxTokens: number, thinking: boolean): GenerateOptions {
    const { sampling, dialect, answer, conclude } = this.#context;
    const { signal } = this.#plan;
    if (!thinking) return { ...sampling, ...answer, maxTokens, seed: this.#seed, signal };
    const adjusted = this.#governors.reduce((s, governor) => governor.sampling?.(s, this.#thought) ?? s, sampling);
    const ends = conclude ? AbortSignal.any([signal, conclude]) : signal;
    return { ...adjusted, maxTokens, stopStrings: [dialect.marker], seed: this.#seed, signal: ends };
  }

  /** Tells the governors of a token; the first order counts, but all hear it. */
  #heard(token: number, forced = false): Order | null {
    let first: Order | null = null;
    for (const governor of this.#governors) {
      const order = governor.token?.(token, this.#thought, forced);
      first ??= order ?? null;
    }
    return first;
  }

  /** What the model ended with: the closing marker, or (`closed: false`) an end token. */
  #closing(crossed: boolean): { closed: boolean; before: number; tokens: number[] } {
    const { engine, dialect } = this.#context;
    const { held } = this.#transcript;
    // The marker's characters span at most as many tokens.
    for (let count = 1; count <= Math.min(held, dialect.marker.length); count++) {
      const tokens = this.#transcript.tail(count);
      if (engine.decode(tokens).includes(dialect.marker)) return { closed: true, before: held - count, tokens };
    }
    return { closed: crossed, before: Math.max(0, held - 1), tokens: this.#transcript.tail(1) };
  }

  async *#obey({ action, reason, keep, write, seed }: Order): Course<void> {
    yield this.#steer(action, reason);
    if (keep !== undefined) yield* this.#takeBack(keep);
    if (seed !== undefined) this.#seed = seed;
    if (write === undefined) return;
    const { share } = this.#plan;
    const tokens = this.#context.engine.encode(write);
    // A cue that does not fit is left out: thinking ends soon anyway.
    const fits = tokens.length <= this.#context.thinking.maxTokens - this.#transcript.spent;
    if (fits && share.grant(tokens.length, 'thinking') === tokens.length) yield* this.#force(write, tokens);
    share.settle();
  }

  *#takeBack(keep: number): Generator<CourseEvent, void, undefined> {
    const { events, held } = this.#transcript.rewind(keep);
    this.#plan.lane.truncate(this.#promptLength + held);
    for (const governor of this.#governors) governor.rewind?.(held);
    yield* events;
  }

  #steer(action: SteerEvent['action'], reason: string): SteerEvent {
    return { type: 'steer', lane: this.#plan.index, action, reason };
  }

  /** The answer, if the thinking were closed now: greedily, on a lane beside this one. Null where the budget has no room. */
  async #probe(maxTokens: number): Promise<string | null> {
    const { engine, dialect, sampling, answer } = this.#context;
    const { lane, share, signal, charge } = this.#plan;
    const close = engine.encode(dialect.close);
    const most = Math.min(maxTokens, answer.maxTokens);
    const rows = close.length + most;
    if (signal.aborted || share.grant(rows, 'thinking') < rows) return null;
    const [side] = lane.fork(1) as [Lane];
    charge(side.ledger);
    try {
      await side.append(close);
      share.count(close.length);
      let said = '';
      for await (const { text } of side.generate({ ...sampling, ...answer, temperature: 0, maxTokens: most, signal })) {
        said += text;
        share.count(1);
      }
      return extractAnswer(said, dialect);
    } finally {
      side.dispose();
      share.settle();
    }
  }

  async *#close(): Course<void> {
    const { engine, dialect } = this.#context;
    yield* this.#transcript.flush();
    yield* this.#force(dialect.close, engine.encode(dialect.close));
  }

  /** Appends tokens of this text. They carry log-probability 0 and do not count in the candidate's sums. */
  async *#force(text: string, tokens: readonly number[]): Course<void> {
    const { engine, dialect } = this.#context;
    const { lane, signal, share } = this.#plan;
    if (signal.aborted) return;
    await lane.append(tokens);
    const marker = text.indexOf(dialect.marker);
    const markerAt = marker < 0 ? Number.POSITIVE_INFINITY : marker;
    let before = '';
    for (const [i, token] of tokens.entries()) {
      const written = engine.decode(tokens.slice(0, i + 1));
      // As with a close by the model, the marker itself belongs to neither part's text.
      const part = before.length <= markerAt ? 'thinking' : 'answer';
      const told = written.length <= markerAt || before.length >= markerAt + dialect.marker.length;
      share.count(1);
      yield* this.#transcript.forced(token, told ? written.slice(before.length) : '', part);
      if (part === 'thinking') this.#heard(token, true);
      before = written;
    }
  }

  #conclude(finish: FinishReason): Candidate {
    const { verify, dialect } = this.#context;
    const { index, seed, pruned } = this.#plan;
    const { thinking, answer: said, tokens, logprob } = this.#transcript;
    const ended = finish !== 'abort';
    const answer = extractAnswer(said, dialect);
    return {
      lane: index,
      seed,
      reasoning: thinking.trim(),
      answer,
      tokens,
      finish: ended ? finish : pruned() ? 'pruned' : 'abort',
      logprob: { ...logprob },
      // A lane that was cut off never gave its answer, so there is nothing to judge.
      verdict: ended && verify ? verify(answer) : null,
    };
  }
}

/**
 * Runs one lane to its end: a `lane` event, its tokens (with what steers its thinking in between), then its `candidate`,
 * which is also returned.
 *
 * Thinking that reaches `thinking.maxTokens`, or that a governor, the budget or `conclude` ends, is closed by the dialect's
 * close as forced tokens, and the answer generated; the same where the model ends its turn in mid-thought. The answer ends
 * at its own limit or a stop string; one given without thinking, by a model that is free to skip it, ends at the thinking
 * limit. Abandoning the iteration ends the generation.
 */
export function runCandidate(
  context: StrategyContext,
  plan: CandidatePlan,
): AsyncGenerator<CandidateStreamEvent, Candidate, undefined> {
  return new CandidateRun(context, plan).events();
}
