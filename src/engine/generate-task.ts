/**
 * A generation: feeds what the lane holds but has not computed, then one decode row a step. The GPU runs ahead: rows are
 * planned before their input token is known here; what a stop makes superfluous is cut off when the draws come back.
 */
import type { ResolvedSampling } from '../kernels/sample.ts';
import { NO_WRITE, PAGE_SIZE } from '../kernels/step.ts';
import type { Sparsity } from './attention.ts';
import { EventQueue } from './event-queue.ts';
import type { StepPlan } from './plan.ts';
import type { Sequence } from './sequence.ts';
import { type PageKeeper, Task } from './task.ts';
import type { FinishReason, TokenEvent } from './types.ts';

/** Turns tokens into text and watches for stop strings. */
export interface TextSink {
  /** The text this token completes; `stopped` when a stop string ended it. */
  push(token: number): { text: string; stopped: boolean };
  /** What was held back, at the end. */
  flush(): string;
}

export interface GenerateSettings {
  readonly sampling: ResolvedSampling;
  /** What its rows attend to; null: everything. */
  readonly policy: Sparsity | null;
  readonly maxTokens: number;
  readonly maxContext: number;
  readonly stopTokens: ReadonlySet<number>;
  readonly text: TextSink;
  readonly signal: AbortSignal | undefined;
}

export class GenerateTask extends Task {
  readonly events = new EventQueue<TokenEvent, FinishReason>();
  override readonly sampling: ResolvedSampling;
  readonly #settings: GenerateSettings;
  /** Tokens the lane held at the start. */
  readonly #start: number;
  /** Position of the next row whose draw extends the lane. */
  #next: number;
  /** Draws asked for. */
  #issued = 0;
  readonly #onAbort = () => this.end('abort');

  constructor(sequence: Sequence, settings: GenerateSettings) {
    super(sequence);
    this.#settings = settings;
    this.sampling = settings.sampling;
    this.#start = sequence.tokens.length;
    this.#next = this.#start - 1;
    settings.signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Whether another draw may be asked for. */
  get #wantsMore(): boolean {
    const { maxTokens, maxContext } = this.#settings;
    return !this.done && !this.preempted && this.#issued < maxTokens && this.#next + 1 < maxContext;
  }

  planPrefill(plan: StepPlan, rows: number, pages: PageKeeper): void {
    const { tokens } = this.sequence;
    const from = this.sequence.pages.length;
    // The last token held goes through decoding, which draws; what comes before it is fed.
    const to = Math.min(tokens.length - 1, this.#next, from + rows, this.sequence.history.denseUntil(from));
    if (to <= from || !this.#wantsMore) return;
    this.feed(plan, from, to, pages);
  }

  planDecode(plan: StepPlan, pages: PageKeeper): void {
    const { sequence } = this;
    const position = this.#next;
    const { policy } = this.#settings;
    if (!this.#wantsMore || sequence.pages.length < position || !plan.fitsDecode(position, policy)) return;
    let kvSlot = NO_WRITE;
    if (sequence.pages.length === position) {
      if (!pages.prepare(this, position, position + 1)) return;
      kvSlot = sequence.pages.pages[Math.floor(position / PAGE_SIZE)]! * PAGE_SIZE + (position % PAGE_SIZE);
      sequence.pages.commit(position + 1);
      sequence.history.note(position + 1, policy);
    }
    plan.addDecode(this, position, sequence.tokens[position] ?? null, kvSlot, policy);
    this.#next++;
    this.#issued++;
  }

  deliver(_tag: number, token: number, logprob: number): void {
    if (this.done) return;
    const { sequence } = this;
    const { text, stopTokens, maxTokens, maxContext } = this.#settings;
    const position = sequence.tokens.length;
    sequence.tokens.push(token);
    // A stop token ends the text; it is not part of it.
    const stopToken = stopTokens.has(token);
    const piece = stopToken ? { text: text.flush(), stopped: true } : text.push(token);
    const ended = piece.stopped;
    const full = !ended && (position + 1 - this.#start >= maxTokens || position + 1 >= maxContext);
    const shown = full ? piece.text + text.flush() : piece.text;
    this.events.push({ token, logprob, text: shown, position });
    if (ended) this.end('stop');
    else if (full) this.end('length');
  }

  override restart(): void {
    this.#next = this.sequence.tokens.length - 1;
    this.#issued = this.sequence.tokens.length - this.#start;
  }

  /** Ends the generation; draws still under way are ignored and their KV is cut off. */
  end(reason: FinishReason): void {
    if (this.done) return;
    this.#close();
    this.events.end(reason);
  }

  fail(error: Error): void {
    if (this.done) return;
    this.#close();
    this.events.fail(error);
  }

  #close(): void {
    this.done = true;
    this.#settings.signal?.removeEventListener('abort', this.#onAbort);
    this.sequence.settle();
    this.onDone(this);
  }
}
