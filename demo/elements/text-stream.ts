/**
 * Appends growing text to the page. What is there is never written again: a frame's tokens extend the last text node,
 * and long text is cut into blocks so that a browser lays out only the last one.
 */
import type { Segment } from '../state.ts';

/** Characters after which a new block begins at the next line. */
const BLOCK = 2000;

export class TextStream {
  readonly #host: HTMLElement;
  #revision = 0;
  #segment = -1;
  #written = 0;
  #span: HTMLElement | null = null;
  #node: Text | null = null;

  constructor(host: HTMLElement) {
    this.#host = host;
  }

  /**
   * Shows `segments`, a longer version of what was shown before; anything else starts afresh.
   * @param revision another number than before says that text was taken back, which the length may not show.
   * @returns whether the text changed.
   */
  show(segments: readonly Segment[], revision = 0): boolean {
    const shorter = segments.length <= this.#segment || (segments[this.#segment]?.text.length ?? 0) < this.#written;
    if (shorter || revision !== this.#revision) this.#clear();
    this.#revision = revision;
    let changed = false;
    for (let i = Math.max(0, this.#segment); i < segments.length; i++) {
      const segment = segments[i]!;
      if (i > this.#segment) this.#begin(i, segment);
      const fresh = segment.text.slice(this.#written);
      if (fresh === '') continue;
      this.#append(fresh, segment);
      this.#written = segment.text.length;
      changed = true;
    }
    return changed;
  }

  #clear(): void {
    this.#host.replaceChildren();
    this.#segment = -1;
    this.#written = 0;
    this.#span = null;
    this.#node = null;
  }

  #begin(index: number, segment: Segment): void {
    this.#segment = index;
    this.#written = 0;
    this.#open(segment);
  }

  #open(segment: Segment): void {
    this.#span = document.createElement('span');
    if (segment.forced) {
      this.#span.className = 'forced';
      this.#span.title = 'Put here from outside, not sampled by the model';
    }
    this.#node = document.createTextNode('');
    this.#span.append(this.#node);
    this.#host.append(this.#span);
  }

  #append(text: string, segment: Segment): void {
    const full = (this.#node?.length ?? 0) > BLOCK;
    const cut = full ? this.#lineEnd(text) : -1;
    if (cut < 0) {
      this.#node?.appendData(text);
      return;
    }
    this.#node?.appendData(text.slice(0, cut));
    // The line break becomes the boundary of the blocks.
    if (this.#span) this.#span.style.display = 'block';
    this.#open(segment);
    this.#node?.appendData(text.slice(cut + 1));
  }

  /** Where the first line of `text` that is not empty ends: a block may not end with a break, which would not show. */
  #lineEnd(text: string): number {
    const before = this.#node?.data.at(-1);
    for (let i = 0; i < text.length; i++) {
      if (text[i] === '\n' && (i > 0 ? text[i - 1] : before) !== '\n') return i;
    }
    return -1;
  }
}
