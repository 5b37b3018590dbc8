/**
 * `<reckon-budget>`: what a run costs, and how much of its budget is spent, beside any page's own interface.
 *
 * @example
 * const meter = document.querySelector('reckon-budget');
 * meter.budget = { tokens: 4000, seconds: 30 };
 * const run = model.reason({ prompt, budget: meter.budget });
 * for await (const event of run) meter.push(event);
 */
import { html, LitElement, nothing } from 'lit';
import { property, state } from 'lit/decorators.js';
import { type Budget, PAPER_INTENSITY } from '../strategies/budget.ts';
import type { ReasoningEvent } from '../strategies/types.ts';
import { Account, type AccountState, type BudgetName, type Gauge } from './account.ts';
import { budgetStyle } from './budget-style.ts';
import { count, duration, NONE, si } from './format.ts';

const LIMITS: Record<BudgetName, { label: string; show: (value: number) => string }> = {
  tokens: { label: 'Tokens', show: count },
  seconds: { label: 'Time', show: duration },
  eflops: { label: 'eFLOP', show: (value) => si(value, 'eFLOP') },
  bytes: { label: 'Memory', show: (value) => si(value, 'B') },
};

const STATES: Record<AccountState, string> = {
  idle: 'Not started',
  running: 'Running',
  concluding: 'Concluding: lanes answer now',
  spent: 'Spent',
  over: 'Done',
};

/** What a screen reader is told as the state changes; the rest it can look up. */
const NEWS: Partial<Record<AccountState, string>> = {
  concluding: 'The budget is nearly spent. Lanes are answering.',
  spent: 'The budget is spent.',
};

/**
 * Custom properties it takes: `--reckon-ink`, `--reckon-muted`, `--reckon-track`, `--reckon-fill`, `--reckon-concluding`,
 * `--reckon-spent`, `--reckon-font`, `--reckon-figure-font`. Without them it follows `color-scheme`.
 */
export class ReckonBudget extends LitElement {
  static override styles = budgetStyle;

  /** What the run is allowed, shown until the run's own events tell it. */
  @property({ attribute: false }) budget: Budget | null = null;
  /** FLOPs that one byte weighs in the running eFLOP count. Default 562.5, the papers'. */
  @property({ type: Number }) intensity = PAPER_INTENSITY;
  @state() private news = '';

  readonly #account = new Account();
  #events: readonly ReasoningEvent[] = [];
  #taken = 0;

  /** All events of a run so far: an alternative to `push` for pages that keep them. A longer list goes on where it was. */
  get events(): readonly ReasoningEvent[] {
    return this.#events;
  }

  set events(events: readonly ReasoningEvent[]) {
    const goesOn = this.#taken > 0 && events.length >= this.#taken && events[0] === this.#events[0];
    if (!goesOn) this.reset();
    this.#events = events;
    for (const event of events.slice(this.#taken)) this.push(event);
    this.#taken = events.length;
  }

  /** Takes the next event of a run. Kinds that say nothing of cost pass by; a lane that starts anew is a new run. */
  push(event: ReasoningEvent): void {
    const before = this.#account.state;
    if (!this.#account.take(event)) return;
    const { state: now } = this.#account;
    if (now !== before) this.news = NEWS[now] ?? '';
    this.requestUpdate();
  }

  /** Says that the run is over where no `done` told it: it was aborted, or it failed. */
  end(): void {
    this.#account.end();
    this.requestUpdate();
  }

  /** As new: nothing spent. */
  reset(): void {
    this.#account.reset();
    this.#events = [];
    this.#taken = 0;
    this.news = '';
    this.requestUpdate();
  }

  #figure(name: string, label: string, value: string, explain: string) {
    return html`<div title=${explain} data-figure=${name}><dt>${label}</dt><dd>${value}</dd></div>`;
  }

  #figures() {
    const { state: now, tokens, pace, seconds, flops, bytes } = this.#account;
    const known = now !== 'idle';
    const show = (value: string) => (known ? value : NONE);
    const eflops = this.#account.eflops(this.intensity);
    const weighed = `Floating point operations, and ${this.intensity.toPrecision(4)} for each byte moved.`;
    return html`
      <dl class="figures">
        ${this.#figure('tokens', 'Tokens', show(count(tokens)), 'Tokens generated, over all lanes.')}
        ${this.#figure('pace', 'Tokens/s', Number.isFinite(pace) ? show(si(pace, '')) : NONE, 'Tokens a second, over all lanes.')}
        ${this.#figure('seconds', 'Time', show(duration(seconds)), 'Since the run began.')}
        ${this.#figure('flops', 'Compute', show(si(flops, 'FLOP')), 'Floating point operations; a multiply-add is two.')}
        ${this.#figure('bytes', 'Memory', show(si(bytes, 'B')), 'Bytes moved between GPU memory and its compute units.')}
        ${this.#figure('eflops', 'eFLOP', show(si(eflops, '')), weighed)}
      </dl>
    `;
  }

  #gauge({ name, spent, limit }: Gauge) {
    const { label, show } = LIMITS[name];
    const fraction = Math.min(1, spent / limit);
    const words = `${show(spent)} of ${show(limit)}`;
    return html`
      <div class="gauge" data-limit=${name}>
        <span>${label}</span>
        <span class="of" aria-hidden="true">${words}</span>
        <div
          class="track"
          role="meter"
          aria-label="${label} spent"
          aria-valuemin="0"
          aria-valuemax=${limit}
          aria-valuenow=${Math.min(spent, limit)}
          aria-valuetext=${words}
        >
          <span style="width:${(100 * fraction).toFixed(1)}%"></span>
        </div>
      </div>
    `;
  }

  #gauges() {
    const gauges = this.#account.gauges(this.budget ?? {});
    if (gauges.length === 0) return nothing;
    const { state: now } = this.#account;
    const most = Math.max(...gauges.map(({ spent, limit }) => spent / limit));
    return html`
      <div class="budget" data-state=${now} role="group" aria-label="Budget">
        <p class="state">
          <span>Budget: <strong>${STATES[now]}</strong></span>
          <span>${(100 * most).toFixed(0)} %</span>
        </p>
        ${gauges.map((gauge) => this.#gauge(gauge))}
      </div>
    `;
  }

  protected override render() {
    return html`
      <div class="panel">
        ${this.#figures()} ${this.#gauges()}
        <p class="said" role="status" aria-live="polite">${this.news}</p>
      </div>
    `;
  }
}

declare global {
  interface HTMLElementTagNameMap {
    'reckon-budget': ReckonBudget;
  }
}
