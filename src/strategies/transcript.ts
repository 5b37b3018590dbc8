/** What a lane has written: its tokens as events, and their texts in two parts, thinking and answer. */
import type { TokenEvent } from '../engine/types.ts';
import { StopMatcher } from '../text/stop-strings.ts';
import type { ThinkingDialect } from '../text/thinking.ts';
import { Seam } from './seam.ts';
import type { LaneTokenEvent, RewindEvent } from './types.ts';

export interface TranscriptOptions {
  readonly lane: number;
  readonly dialect: ThinkingDialect;
  /** What ends an answer. */
  readonly stopStrings: readonly string[];
  readonly decode: (tokens: readonly number[]) => string;
}

/** A token of the thinking that the lane holds. */
interface Held {
  readonly token: number;
  /** Characters of thinking before it. */
  readonly from: number;
  /** It had text, so that nothing of it or those before is held back. */
  readonly told: boolean;
  /** Null for a forced one. */
  readonly logprob: number | null;
}

/**
 * Markers and stop strings belong to no part's text, also where they lie across two stretches of generation. So text that
 * may become one is held back, and the events of its tokens with it, until that is decided.
 */
export class Transcript {
  readonly #options: TranscriptOptions;
  readonly #seam: Seam;
  #stops: StopMatcher;
  /** Characters that the matcher holds back. */
  #undecided = 0;
  /** Events whose text is not decided. */
  #waiting: LaneTokenEvent[] = [];
  /** Text that may still be, or become, the opening marker; null once that is decided. */
  #head: string | null = '';
  readonly #held: Held[] = [];
  #part: LaneTokenEvent['part'] = 'thinking';
  #taken = 0;
  thinking = '';
  answer = '';
  /** The model answered without thinking, where the template leaves the opening to it. */
  skipped = false;
  /** Tokens generated, forced ones and those taken back included. */
  tokens = 0;
  /** Of the sampled tokens that were not taken back. */
  readonly logprob = { sum: 0, count: 0 };

  constructor(options: TranscriptOptions) {
    this.#options = options;
    this.#seam = new Seam(options.decode);
    this.#stops = new StopMatcher([options.dialect.marker]);
  }

  /** Tokens of thinking that the lane holds. */
  get held(): number {
    return this.#held.length;
  }

  /** Tokens of thinking, with those taken back. */
  get spent(): number {
    return this.#held.length + this.#taken;
  }

  /** What comes now is the answer. */
  beginAnswer(): void {
    this.#part = 'answer';
    this.#head = null;
    this.#watch(this.#options.stopStrings);
  }

  /**
   * A sampled token.
   * @param last whether its stretch of generation ends with it.
   * @returns events that are decided; `stopped` when the marker, or a stop string of the answer, is complete.
   */
  sampled({ token, text, logprob }: TokenEvent, last: boolean): { events: LaneTokenEvent[]; stopped: boolean } {
    this.logprob.sum += logprob;
    this.logprob.count++;
    this.#note(token, text !== '', logprob);
    const ready = this.#behindOpening(this.#seam.push(token, text, last));
    const { emit, stopped } = this.#stops.push(ready);
    this.#undecided = stopped === null ? this.#undecided + ready.length - emit.length : 0;
    this.#wait(token, emit, logprob, false);
    const open = this.#undecided > 0 || (this.#head ?? '') !== '';
    return { events: open ? [] : this.#release(), stopped: stopped !== null };
  }

  /** A forced token. `text` is shown as it is. */
  forced(token: number, text: string, part: LaneTokenEvent['part']): LaneTokenEvent[] {
    const before = this.flush();
    if (part === 'thinking') this.#note(token, true, null);
    this.#part = part;
    this.#wait(token, text, 0, true);
    return [...before, ...this.#release()];
  }

  /** Events that waited, at the end of a part: nothing more can become of their text. */
  flush(): LaneTokenEvent[] {
    const rest = (this.#head ?? '') + this.#stops.flush();
    if (this.#head) this.#head = null;
    this.#undecided = 0;
    const last = this.#waiting.at(-1);
    if (last && rest !== '') {
      last.text += rest;
      this[last.part] += rest;
    }
    return this.#release();
  }

  /** Takes back all but `keep` tokens of the thinking; a few more, where text of theirs is still held back. */
  rewind(keep: number): { events: (LaneTokenEvent | RewindEvent)[]; held: number } {
    let held = keep;
    while (held > 0 && !this.#held[held - 1]?.told) held--;
    const tokens = this.#held.length - held;
    const waited = this.#release();
    this.#watch([this.#options.dialect.marker]);
    const from = this.#held[held]?.from ?? this.thinking.length;
    const characters = this.thinking.length - from;
    this.thinking = this.thinking.slice(0, from);
    for (const { logprob } of this.#held.splice(held)) {
      if (logprob === null) continue;
      this.logprob.sum -= logprob;
      this.logprob.count--;
    }
    this.#taken += tokens;
    return { events: [...waited, { type: 'rewind', lane: this.#options.lane, tokens, characters }], held };
  }

  /** The last `count` tokens of thinking that the lane holds. */
  tail(count: number): number[] {
    return this.#held.slice(-count).map(({ token }) => token);
  }

  #watch(stops: readonly string[]): void {
    this.#stops = new StopMatcher(stops);
    this.#undecided = 0;
  }

  #note(token: number, told: boolean, logprob: number | null): void {
    if (this.#part === 'thinking') this.#held.push({ token, from: this.thinking.length, told, logprob });
  }

  #wait(token: number, text: string, logprob: number, forced: boolean): void {
    this.tokens++;
    const part = this.skipped ? 'answer' : this.#part;
    this[part] += text;
    this.#waiting.push({ type: 'token', lane: this.#options.lane, token, text, logprob, part, forced });
  }

  #release(): LaneTokenEvent[] {
    const events = this.#waiting;
    this.#waiting = [];
    return events;
  }

  /** The text without the opening marker; nothing while that may still be coming. */
  #behindOpening(text: string): string {
    if (this.#head === null || this.#part === 'answer') return text;
    const { open, opened } = this.#options.dialect;
    const head = this.#head + text;
    const written = head.trimStart();
    if (written.length < open.length && open.startsWith(written)) {
      this.#head = head;
      return '';
    }
    this.#head = null;
    if (written.startsWith(open)) return written.slice(open.length);
    if (!opened) {
      this.skipped = true;
      this.#watch(this.#options.stopStrings);
    }
    return head;
  }
}
