/** One model to choose: what it is, under which licence, whether it runs here, and what can be done with it. */
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { bytesText } from '../../../src/catalogue/words.ts';
import { type Row, runsOnReckon } from '../../models/list.ts';
import { fitReasons, fitWords, storedWords } from '../../models/words.ts';
import { LightElement } from '../light-element.ts';

const FORMATS = { safetensors: '16 bit', mlc: 'MLC' } as const;

@customElement('rk-model-row')
export class ModelRow extends LightElement {
  @property({ attribute: false }) row: Row | null = null;
  /** Something is being fetched: nothing else can begin. */
  @property({ attribute: false }) busy = false;
  @property({ attribute: false }) current = false;
  @property({ attribute: false }) onAct: (row: Row) => void = () => {};
  @property({ attribute: false }) onDelete: (row: Row) => void = () => {};

  /** Delete was pressed once: it takes a second press. */
  @state() private sure = false;
  /** The reasons are open. */
  @state() private explained = false;

  #facts({ entry, stored }: Row) {
    const size = entry?.downloadBytes ?? stored?.total ?? null;
    const kind = entry ? (entry.format === 'mlc' ? entry.stored : FORMATS[entry.format]) : null;
    return html`
      <p class="model-line">
        ${kind ? html`<span>${kind}</span>` : nothing}
        ${size ? html`<span class="num">${bytesText(size)}</span>` : nothing}
        ${entry?.thinks ? html`<span>thinks</span>` : nothing}
        ${entry ? html`<a href=${entry.licence.url} target="_blank" rel="noreferrer">${entry.licence.name}</a>` : nothing}
        ${entry?.gated ? html`<span>needs a token</span>` : nothing}
        ${stored ? html`<span class="kept">${storedWords(stored)}</span>` : nothing}
      </p>
    `;
  }

  #fit(row: Row) {
    if (!row.entry) return nothing;
    const { verdict, short } = fitWords(row.fit);
    const mark = { runs: '✓', 'too-large': '✗', other: '↗' }[verdict];
    return html`
      <details
        class="fit"
        data-verdict=${verdict}
        @toggle=${(event: Event) => {
          this.explained = (event.target as HTMLDetailsElement).open;
        }}
      >
        <summary><span aria-hidden="true">${mark}</span> ${short}</summary>
        ${this.explained ? html`<p>${fitReasons(row.fit, row.suggest(), row.entry)}</p>` : nothing}
      </details>
    `;
  }

  #action({ entry, stored }: Row): string {
    if (this.current) return 'Load again';
    if (entry?.kind === 'embedded' || stored?.complete) return 'Load';
    if (entry && !runsOnReckon(entry)) return 'Load';
    return stored ? 'Resume' : 'Fetch';
  }

  override render() {
    const { row, busy } = this;
    if (!row) return nothing;
    const { stored, name } = row;
    const action = this.#action(row);
    return html`
      <div class="model-row" data-model=${name}>
        <div class="model-about">
          <p class="model-name"><strong>${name}</strong>${this.current ? html` <span class="badge">loaded</span>` : nothing}</p>
          ${this.#facts(row)} ${this.#fit(row)}
        </div>
        <div class="model-actions">
          <button type="button" class="button" data-action="act" ?disabled=${busy} aria-label="${action} ${name}" @click=${() => this.onAct(row)}>
            ${action}
          </button>
          ${
            stored
              ? html`<button
                  type="button"
                  class="button ${this.sure ? 'stop' : ''}"
                  data-action="delete"
                  ?disabled=${busy}
                  aria-label="${this.sure ? 'Really delete' : 'Delete'} ${name} from this device"
                  @click=${() => this.#delete(row)}
                  @blur=${() => {
                    this.sure = false;
                  }}
                >
                  ${this.sure ? 'Really?' : 'Delete'}
                </button>`
              : nothing
          }
        </div>
      </div>
    `;
  }

  #delete(row: Row): void {
    if (this.sure) this.onDelete(row);
    this.sure = !this.sure;
  }
}
