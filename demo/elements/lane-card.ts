/** One chain of thought: what it thinks, what it answers, whether that is right, and what it costs. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, query } from 'lit/decorators.js';
import { count, meanLogprob, NONE, si } from '../format.ts';
import type { LaneStatus, LaneView, Steer } from '../state.ts';
import { LightElement } from './light-element.ts';
import { TextStream } from './text-stream.ts';

/** Nearer to the end than this, in CSS pixels, counts as reading along. */
const AT_END = 16;

const STATES: Record<LaneStatus, string> = {
  waiting: 'waiting',
  running: 'thinking',
  stop: 'done',
  length: 'out of tokens',
  abort: 'stopped',
  pruned: 'stopped early',
};

function badge(lane: LaneView) {
  if (lane.verdict) {
    return lane.verdict.correct
      ? html`<span class="badge right"><span aria-hidden="true">✓</span> right</span>`
      : html`<span class="badge wrong"><span aria-hidden="true">✗</span> wrong</span>`;
  }
  const answering = lane.status === 'running' && lane.segments.at(-1)?.part === 'answer';
  return html`<span class="badge plain">${answering ? 'answering' : STATES[lane.status]}</span>`;
}

/** The parsed answer, where more than it stands in the answer's text (a lane that thinks on after its limit). */
function parsedAnswer(lane: LaneView): string | null {
  if (!lane.answer) return null;
  const written = lane.segments.filter((segment) => segment.part === 'answer').map((segment) => segment.text);
  return written.join('').trim() === lane.answer ? null : lane.answer;
}

const CLOSERS = { limit: 'limit', steered: 'closed' } as const;

function closing(by: NonNullable<LaneView['closed']>) {
  return by === 'model'
    ? html`<span class="tag">&lt;/think&gt;</span>`
    : html`<span class="tag forced" title="Put here from outside, not sampled by the model">&lt;/think&gt; (${CLOSERS[by]})</span>`;
}

const STEERS: Record<Steer['action'], string> = {
  close: 'closed',
  cue: 'cue',
  continue: 'goes on',
  resample: 'resampled',
  penalise: 'penalised',
};

/** The last thing done to its thinking; all of them on hover. */
function steering(steers: readonly Steer[]) {
  const last = steers.at(-1);
  if (!last) return nothing;
  const all = steers.map(({ action, reason }) => `${STEERS[action]}: ${reason}`).join('\n');
  const times = steers.filter(({ action }) => action === last.action).length;
  return html`
    <p class="note steer" title=${all}>
      <strong>${STEERS[last.action]}${times > 1 ? ` ×${times}` : nothing}</strong> ${last.reason}
    </p>
  `;
}

function numbers(lane: LaneView) {
  const { cost } = lane;
  const seed = lane.seed === null ? '' : `Seed ${lane.seed}`;
  return html`
    <dl class="lane-numbers num" title=${seed}>
      <div><dt class="visually-hidden">tokens</dt><dd>${count(lane.tokens)} tokens</dd></div>
      <div title="Mean natural logarithm of the sampled tokens' probabilities: nearer to 0 is surer">
        <dt>log-prob</dt><dd>${meanLogprob(lane.logprob)}</dd>
      </div>
      <div><dt class="visually-hidden">compute</dt><dd>${cost ? si(cost.flops, 'FLOP') : NONE}</dd></div>
      <div><dt class="visually-hidden">memory traffic</dt><dd>${cost ? si(cost.bytes, 'B') : NONE}</dd></div>
    </dl>
  `;
}

@customElement('rk-lane')
export class LaneCard extends LightElement {
  @property({ attribute: false }) lane: LaneView | null = null;
  @query('.thinking') private readonly thinkingBox!: HTMLElement | null;
  @query('.thinking-text') private readonly thinkingText!: HTMLElement | null;
  @query('.answer-text') private readonly answerText!: HTMLElement | null;

  #thinking: TextStream | null = null;
  #answer: TextStream | null = null;
  /** Whether the reader follows the end; scrolling up lets go of it. */
  #following = true;

  readonly #onScroll = (event: Event) => {
    const box = event.currentTarget as HTMLElement;
    this.#following = box.scrollHeight - box.scrollTop - box.clientHeight < AT_END;
  };

  protected override updated(changed: PropertyValues<this>): void {
    if (!changed.has('lane') || !this.lane || !this.thinkingText || !this.answerText) return;
    this.#thinking ??= new TextStream(this.thinkingText);
    this.#answer ??= new TextStream(this.answerText);
    const { segments } = this.lane;
    if (segments.length === 0) this.#following = true;
    const thought = this.#thinking.show(
      segments.filter((segment) => segment.part === 'thinking'),
      this.lane.rewinds,
    );
    const box = this.answerText.parentElement;
    if (this.#answer.show(segments.filter((segment) => segment.part === 'answer')) && box)
      box.scrollTop = box.scrollHeight;
    // The closing tag is rendered text too.
    const closed = changed.get('lane')?.closed !== this.lane.closed;
    if ((thought || closed) && this.#following && this.thinkingBox)
      this.thinkingBox.scrollTop = this.thinkingBox.scrollHeight;
  }

  override render() {
    const { lane } = this;
    if (!lane) return nothing;
    const name = `Lane ${lane.lane + 1}`;
    const answered = lane.segments.some((segment) => segment.part === 'answer');
    const parsed = parsedAnswer(lane);
    const note = lane.verdict?.reason ?? lane.pruned;
    return html`
      <article
        class="lane ${lane.status} ${lane.chosen ? 'chosen' : ''}"
        aria-label=${name}
        data-verdict=${lane.verdict ? (lane.verdict.correct ? 'right' : 'wrong') : 'none'}
      >
        <header>
          <h3>${lane.lane + 1}</h3>
          ${lane.chosen ? html`<span class="badge choice">chosen</span>` : nothing}
          ${badge(lane)}
        </header>
        <div class="thinking" tabindex="0" role="group" aria-label="${name}, thinking" @scroll=${this.#onScroll}>
          <span class="tag">&lt;think&gt;</span>
          <div class="thinking-text"></div>
          ${lane.closed ? closing(lane.closed) : nothing}
        </div>
        <div class="answer ${parsed ? 'more' : ''}" ?hidden=${!answered} aria-label="${name}, after its thinking" role="group">
          <div class="answer-text"></div>
        </div>
        ${parsed ? html`<div class="answer parsed" aria-label="${name}, answer" role="group">${parsed}</div>` : nothing}
        ${steering(lane.steers)}
        ${note ? html`<p class="note">${note}</p>` : nothing}
        ${numbers(lane)}
      </article>
    `;
  }
}
