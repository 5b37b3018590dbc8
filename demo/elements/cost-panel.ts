/** What the run costs, while it costs it. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { ModelInfo } from '../../src/api/types.ts';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';
import type { Budget } from '../../src/strategies/budget.ts';
import { readings } from '../readout.ts';
import { IDLE, type RunView } from '../state.ts';
import type { Theme } from '../theme.ts';
import { costClasses, costLanes } from './cost-classes.ts';
import '../../src/elements/index.ts';
import './cost-chart.ts';
import './roofline.ts';
import { LightElement } from './light-element.ts';

const NOTHING: LedgerSnapshot = { rows: 0, sampled: 0, flops: 0, bytes: 0, classes: zeroCosts() };

type Tab = 'kinds' | 'lanes' | 'roof';
const TABS: readonly { id: Tab; label: string }[] = [
  { id: 'kinds', label: 'By kind' },
  { id: 'lanes', label: 'By lane' },
  { id: 'roof', label: 'Roofline' },
];

function explanation() {
  return html`
    <details>
      <summary>What is this?</summary>
      <p>
        Every piece of work sent to the GPU declares how many floating point operations (FLOP) it does and how many bytes
        it moves to and from GPU memory. The panel adds up what really ran.
      </p>
      <p>
        <strong>Lanes share.</strong> One step takes every running lane a token further, and reads the model's weights
        once for all of them. The bytes of that reading are split evenly over the lanes of the step, so a lane gets
        dearer as others finish. The question, too, is read once and its memory shared by all lanes.
      </p>
      <p>
        <strong>eFLOP</strong> puts both into one number: a byte weighs as many operations as a device could do in the
        time it takes to fetch it. The figure above takes 562.5, as the Kinetics paper does, so that runs on different
        devices can be compared; the lines below it also take this device's own.
      </p>
      <p>
        <strong>The roofline</strong> shows what a device sustains: on the slope it waits for memory, on the level it is
        busy computing. Kinds of work stand on the roof where they could be at most, the larger the more of the time they
        need; the run stands where it was. More lanes at once do more for each byte, and move it to the right.
      </p>
    </details>
  `;
}

/** Nothing is made up for engines that do not count. */
function uncounted(backend: string) {
  return html`<p class="hint">
    This model runs in ${backend}, which does not tell what it computes or moves: only tokens and time are counted.
  </p>`;
}

@customElement('rk-costs')
export class CostPanel extends LightElement {
  @property({ attribute: false }) run: RunView = IDLE;
  /** What the run is allowed. */
  @property({ attribute: false }) budget: Budget | null = null;
  /** Of the model that is loaded, or was. */
  @property({ attribute: false }) info: ModelInfo | null = null;
  @property({ attribute: false }) theme: Theme = 'light';
  @state() private tab: Tab = 'kinds';

  protected override shouldUpdate(changed: PropertyValues): boolean {
    // Tokens arrive every frame, costs a few times a second.
    const before = changed.get('run') as RunView | undefined;
    const onlyRun = before !== undefined && changed.size === 1;
    return !onlyRun || before.cost !== this.run.cost || before.phase !== this.run.phase;
  }

  readonly #onTabKey = (event: KeyboardEvent) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by === undefined) return;
    event.preventDefault();
    const next = (TABS.findIndex(({ id }) => id === this.tab) + by + TABS.length) % TABS.length;
    this.tab = TABS[next]!.id;
    void this.updateComplete.then(() => this.querySelector<HTMLElement>('[role=tab][aria-selected=true]')?.focus());
  };

  #tabs() {
    return html`
      <div class="tabs" role="tablist" aria-label="Cost in detail" @keydown=${this.#onTabKey}>
        ${TABS.map(
          ({ id, label }) => html`
            <button
              type="button"
              role="tab"
              id="tab-${id}"
              aria-controls="cost-detail"
              aria-selected=${id === this.tab ? 'true' : 'false'}
              tabindex=${id === this.tab ? 0 : -1}
              @click=${() => {
                this.tab = id;
              }}
            >
              ${label}
            </button>
          `,
        )}
      </div>
    `;
  }

  #detail() {
    const { cost, lanes } = this.run;
    switch (this.tab) {
      case 'kinds':
        return html`
          <rk-chart .history=${cost?.history ?? []} .theme=${this.theme}></rk-chart>
          ${costClasses(cost?.total ?? NOTHING)}
        `;
      case 'lanes':
        return costLanes(lanes.map((lane) => lane.cost ?? NOTHING));
      case 'roof':
        return html`<rk-roofline .cost=${cost} .calibration=${this.info?.calibration ?? null}></rk-roofline>`;
    }
  }

  #readings() {
    const { cost } = this.run;
    const lines = cost ? readings(cost, this.info?.calibration, this.run.answer?.usage.account) : [];
    if (lines.length === 0) return nothing;
    return html`
      <dl class="readings num">
        ${lines.map(({ label, words, explain }) => html`<div title=${explain}><dt>${label}</dt><dd>${words}</dd></div>`)}
      </dl>
    `;
  }

  override render() {
    return html`
      <aside class="costs" aria-labelledby="costs-title">
        <h2 id="costs-title">Cost</h2>
        <reckon-budget .budget=${this.budget}></reckon-budget>
        ${
          this.info?.backend
            ? uncounted(this.info.backend)
            : html`${this.#readings()} ${this.#tabs()}
        <div class="detail" id="cost-detail" role="tabpanel" aria-labelledby="tab-${this.tab}">${this.#detail()}</div>
        ${explanation()}`
        }
      </aside>
    `;
  }
}
