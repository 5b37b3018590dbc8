/** What the run costs, while it costs it. */
import { html, type PropertyValues } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';
import { count, duration, NONE, si } from '../format.ts';
import { rates } from '../history.ts';
import { type CostView, IDLE, isActive, type RunView } from '../state.ts';
import type { Theme } from '../theme.ts';
import { costClasses, costLanes } from './cost-classes.ts';
import './cost-chart.ts';
import { LightElement } from './light-element.ts';

const NOTHING: LedgerSnapshot = { rows: 0, sampled: 0, flops: 0, bytes: 0, classes: zeroCosts() };

function figure(label: string, value: string, explain: string, name: string) {
  return html`<div title=${explain} data-figure=${name}><dt>${label}</dt><dd>${value}</dd></div>`;
}

/** While it runs, the pace of now; afterwards, of the whole run. */
function pace(cost: CostView, running: boolean): string {
  const now = running ? rates(cost.history.slice(-30)).at(-1)?.tokens : undefined;
  const value = now ?? (cost.seconds > 0 ? cost.total.sampled / cost.seconds : Number.NaN);
  return Number.isFinite(value) ? si(value, '') : NONE;
}

function figures(cost: CostView | null, running: boolean) {
  const total = cost?.total ?? NOTHING;
  const intensity = total.bytes > 0 ? (total.flops / total.bytes).toPrecision(3) : NONE;
  return html`
    <dl class="figures num">
      ${figure('Compute', cost ? si(total.flops, 'FLOP') : NONE, 'Floating point operations; a multiply-add is two.', 'flops')}
      ${figure('Memory', cost ? si(total.bytes, 'B') : NONE, 'Bytes moved between GPU memory and its compute units.', 'bytes')}
      ${figure('FLOP per byte', intensity, 'How much work each byte fetched does. Side by side lanes raise it.', 'intensity')}
      ${figure('Tokens', cost ? count(total.sampled) : NONE, 'Tokens sampled, over all lanes.', 'tokens')}
      ${figure('Tokens/s', cost ? pace(cost, running) : NONE, 'Tokens a second, over all lanes.', 'pace')}
      ${figure('Time', cost ? duration(cost.seconds) : NONE, 'Since the run began.', 'seconds')}
    </dl>
  `;
}

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
        <strong>FLOP per byte</strong> tells what a run is bound by: a GPU can do many operations in the time it takes to
        fetch one byte, so below its own ratio it waits for memory. More lanes at once lift the number.
      </p>
    </details>
  `;
}

@customElement('rk-costs')
export class CostPanel extends LightElement {
  @property({ attribute: false }) run: RunView = IDLE;
  @property({ attribute: false }) theme: Theme = 'light';

  protected override shouldUpdate(changed: PropertyValues<this>): boolean {
    // Tokens arrive every frame, costs a few times a second.
    const before = changed.get('run') as RunView | undefined;
    return (
      !this.hasUpdated || changed.has('theme') || before?.cost !== this.run.cost || before?.phase !== this.run.phase
    );
  }

  override render() {
    const { cost, lanes } = this.run;
    return html`
      <aside class="costs" aria-labelledby="costs-title">
        <h2 id="costs-title">Cost</h2>
        ${figures(cost, isActive(this.run))}
        <rk-chart .history=${cost?.history ?? []} .theme=${this.theme}></rk-chart>
        ${costClasses(cost?.total ?? NOTHING)}
        ${costLanes(lanes.map((lane) => lane.cost ?? NOTHING))}
        ${explanation()}
      </aside>
    `;
  }
}
