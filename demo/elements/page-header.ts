/** What this is, which model runs on what, and the light switch. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { LoadProgress, ModelInfo } from '../../src/api/types.ts';
import { si } from '../format.ts';
import type { ModelState } from '../session.ts';
import type { Theme } from '../theme.ts';
import { LightElement } from './light-element.ts';

const PHASES: Record<LoadProgress['phase'], string> = {
  download: 'Downloading the model',
  configuration: 'Reading the configuration',
  weights: 'Loading weights',
  kernels: 'Compiling kernels',
  ready: 'Almost ready',
};

function loading(progress: LoadProgress | null) {
  const known = progress !== null && progress.total > 0;
  const text = progress ? PHASES[progress.phase] : 'Starting the engine';
  return html`
    <span class="dot busy" aria-hidden="true"></span>
    <span class="model-words">
      <span>${text}${known ? html` · ${si(progress.loaded, 'B')} of ${si(progress.total, 'B')}` : '…'}</span>
      ${
        known
          ? html`<progress max=${progress.total} .value=${progress.loaded} aria-label="Weights loaded"></progress>`
          : html`<progress aria-label="Loading"></progress>`
      }
    </span>
  `;
}

function facts(info: ModelInfo) {
  const { device } = info;
  return html`
    <strong>${info.name}</strong>
    <span class="num">${si(info.parameters, '')} parameters · ${info.precision.weights}${info.backend ? ` · ${info.backend}` : nothing}</span>
    <span class="device">${device.name}</span>
  `;
}

function ready(info: ModelInfo) {
  return html`
    <span class="dot ready" aria-hidden="true"></span>
    <span class="model-words">
      <span class="model-facts">${facts(info)}</span>
      ${info.device.software ? html`<span class="slow">running on the CPU: correct, but slow</span>` : nothing}
    </span>
  `;
}

function gone(words: string) {
  return html`<span class="dot lost" aria-hidden="true"></span><span class="model-words">${words}</span>`;
}

@customElement('rk-header')
export class PageHeader extends LightElement {
  @property({ attribute: false }) model: ModelState = { phase: 'loading', progress: null };
  @property({ attribute: false }) theme: Theme = 'light';
  @property({ attribute: false }) onTheme: () => void = () => {};
  @property({ attribute: false }) onModels: () => void = () => {};

  #status() {
    const { model } = this;
    switch (model.phase) {
      case 'loading':
        return loading(model.progress);
      case 'ready':
        return ready(model.info);
      case 'lost':
        return gone(`${model.info.name} is no longer loaded`);
      case 'failed':
        return gone('No model is loaded');
    }
  }

  override render() {
    const other = this.theme === 'dark' ? 'light' : 'dark';
    return html`
      <header class="page-header">
        <div class="title">
          <h1>Reckon</h1>
          <p>Many chains of thought on your own GPU, and what each one costs. <a href="lab/">To the lab</a></p>
        </div>
        <div class="model" data-phase=${this.model.phase}>
          ${this.#status()}
          <button type="button" class="button small" data-action="models" aria-haspopup="dialog" @click=${this.onModels}>
            Models…
          </button>
        </div>
        <button type="button" class="button icon theme" @click=${this.onTheme} aria-label="Switch to the ${other} theme" title="Switch to the ${other} theme">
          <span aria-hidden="true">${this.theme === 'dark' ? '☀' : '☾'}</span>
        </button>
      </header>
    `;
  }
}
