/** Something went wrong: what, why, and what to do. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { KvPrecision } from '../../src/cost/shapes.ts';
import type { Trouble } from '../trouble.ts';
import { LightElement } from './light-element.ts';

@customElement('rk-notice')
export class Notice extends LightElement {
  @property({ attribute: false }) trouble: Trouble | null = null;
  @property({ attribute: false }) onReload: () => void = () => {};
  @property({ attribute: false }) onKv: (kv: KvPrecision) => void = () => {};

  override render() {
    const { trouble } = this;
    if (!trouble) return nothing;
    const { smallerKv } = trouble;
    return html`
      <section class="notice" role="alert">
        <h2>${trouble.what}</h2>
        <p>${trouble.why}</p>
        <p>${trouble.todo}</p>
        ${trouble.reload ? html`<button type="button" class="button" @click=${this.onReload}>Load again</button>` : nothing}
        ${smallerKv ? html`<button type="button" class="button" data-action="smaller-kv" @click=${() => this.onKv(smallerKv)}>Load again with ${smallerKv} KV</button>` : nothing}
      </section>
    `;
  }
}
