/** The lanes side by side. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { LaneView } from '../state.ts';
import './lane-card.ts';
import { LightElement } from './light-element.ts';

/** From here on cards are lower, so that more of them are in sight. */
const MANY = 13;

@customElement('rk-lanes')
export class LaneGrid extends LightElement {
  @property({ attribute: false }) lanes: readonly LaneView[] = [];

  override render() {
    const { lanes } = this;
    if (lanes.length === 0) {
      return html`
        <section class="lanes-empty">
          <p>Press <strong>Run</strong>. The lanes will think side by side here, in one batch on the GPU.</p>
        </section>
      `;
    }
    const right = lanes.filter((lane) => lane.verdict?.correct).length;
    const judged = lanes.filter((lane) => lane.verdict).length;
    return html`
      <section aria-labelledby="lanes-title">
        <header class="section-head">
          <h2 id="lanes-title">${lanes.length === 1 ? 'One lane' : `${lanes.length} lanes`}</h2>
          ${judged > 0 ? html`<p class="num">${right} of ${judged} right</p>` : nothing}
        </header>
        <div class="lanes ${lanes.length >= MANY ? 'many' : ''}">
          ${repeat(
            lanes,
            (lane) => lane.lane,
            (lane) => html`<rk-lane .lane=${lane}></rk-lane>`,
          )}
        </div>
      </section>
    `;
  }
}
