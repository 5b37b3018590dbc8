/** A model on its way here: how far, how fast, how long, and the way to stop it. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { Download } from '../../models/shelf.ts';
import { progressWords } from '../../models/words.ts';
import { LightElement } from '../light-element.ts';

@customElement('rk-download')
export class DownloadBar extends LightElement {
  @property({ attribute: false }) download: Download | null = null;
  @property({ attribute: false }) onCancel: () => void = () => {};

  override render() {
    const { download } = this;
    if (!download) return nothing;
    const { name, progress, ending } = download;
    const known = progress !== null && progress.total > 0;
    const words = ending ? 'Stopping; what has come stays here.' : progress ? progressWords(progress) : 'Starting';
    return html`
      <section class="download" aria-label="Download of ${name}">
        <p><strong>${name}</strong></p>
        ${
          known
            ? html`<progress max=${progress.total} .value=${progress.loaded} aria-label="Bytes of ${name} that are here"></progress>`
            : html`<progress aria-label="Fetching ${name}"></progress>`
        }
        <p class="num download-words">${words}</p>
        <button type="button" class="button" data-action="cancel-download" ?disabled=${ending} @click=${this.onCancel}>Cancel</button>
      </section>
    `;
  }
}
