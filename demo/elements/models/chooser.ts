/** The dialog in which a model is chosen: what is here, what may be fetched, anything else by name, or files from disk. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { repeat } from 'lit/directives/repeat.js';
import type { FitDevice, FitReport } from '../../../src/catalogue/index.ts';
import type { ModelOrigin } from '../../../src/checkpoint/hub/reference.ts';
import type { KvPrecision } from '../../../src/cost/shapes.ts';
import { choiceOf, type ModelChoice } from '../../models/choice.ts';
import { type Filter, type PagePlan, type Row, rowsOf, runsOnReckon, type Surroundings } from '../../models/list.ts';
import type { Shelf, ShelfState } from '../../models/shelf.ts';
import { spaceWords } from '../../models/words.ts';
import type { ChoiceOptions } from '../../session.ts';
import { LightElement } from '../light-element.ts';
import '../notice.ts';
import './download-bar.ts';
import './model-row.ts';
import './other-source.ts';

/** What lanes are planned for, where nothing else is said: what a run on the page takes. */
const PLAN = { lanes: 8, length: 4096 };
const LENGTHS = [1024, 2048, 4096, 8192, 16384, 32768];

const WEIGHTS = [
  { quantize: null, label: 'as they come' },
  { quantize: '8bit', label: 'in 8 bits' },
  { quantize: '4bit', label: 'in 4 bits' },
] as const;

/** Lanes in a step that the page's form can ask for. */
const MOST_LANES = 32;
/** Pages beyond the plan's, for copies of open ones. */
const SPARE = 1.05;

@customElement('rk-chooser')
export class Chooser extends LightElement {
  @property({ attribute: false }) shelf: Shelf | null = null;
  @property({ attribute: false }) shelfState: ShelfState | null = null;
  /** The GPU as far as it is known; null: not yet. */
  @property({ attribute: false }) device: FitDevice | null = null;
  /** Name of the model that is loaded. */
  @property({ attribute: false }) current = '';
  @property({ attribute: false }) onLoad: (choice: ModelChoice, options: ChoiceOptions) => void = () => {};
  @property({ attribute: false }) onClose: () => void = () => {};

  @state() private filter: Filter = { text: '', fitting: false };
  @state() private plan: PagePlan = { ...PLAN, kv: 'f16', quantize: null };
  @state() private keep = true;
  /** For gated repositories. Kept here, and nowhere else, as long as the page is open. */
  @state() private token = '';

  #list: ReturnType<typeof rowsOf> = { here: [], there: [] };

  get #dialog(): HTMLDialogElement | null {
    return this.querySelector('dialog');
  }

  override firstUpdated(): void {
    this.#dialog?.showModal();
    void this.shelf?.refresh();
  }

  protected override willUpdate(changed: PropertyValues): void {
    // Not with every report of a download.
    const before = changed.get('shelfState') as ShelfState | null | undefined;
    const { shelfState: shelf, device, plan } = this;
    const same = before && before.stored === shelf?.stored && before.space === shelf.space;
    if (changed.size === 1 && same) return;
    const around: Surroundings = { device, free: shelf?.space?.free ?? null, plan };
    this.#list = rowsOf(shelf?.stored ?? [], around, this.filter);
  }

  override updated(changed: PropertyValues<this>): void {
    // The bar comes and goes at the top; whoever pressed a button below is taken to it.
    const began = changed.get('shelfState')?.download === null && this.shelfState?.download;
    if (began) this.querySelector<HTMLElement>('rk-download')?.scrollIntoView({ block: 'nearest' });
  }

  #close(): void {
    this.#dialog?.close();
  }

  /** @param fit what the model takes as planned, where that is known. */
  #load(choice: ModelChoice, fit: FitReport | null = null): void {
    this.onLoad(choice, {
      precision: { kv: this.plan.kv },
      // The embedded models are small, and exact.
      quantize: choice.kind === 'embedded' ? null : this.plan.quantize,
      maxLanes: MOST_LANES,
      ...(fit ? { kvBytes: Math.ceil(SPARE * fit.memory.kv) } : {}),
    });
    this.#close();
  }

  async #fetch(origin: ModelOrigin, fit: FitReport | null = null): Promise<void> {
    const here = await this.shelf?.download(origin, { token: this.token || undefined, keep: this.keep });
    // Whoever closed the dialog meanwhile has changed their mind about what to run, not about what to keep.
    if (here && this.#dialog?.open) this.#load({ kind: 'remote', origin }, fit);
  }

  readonly #act = ({ entry, stored, fit }: Row) => {
    if (stored) {
      if (stored.complete) this.#load({ kind: 'remote', origin: stored.origin }, fit);
      else void this.#fetch(stored.origin, fit);
    } else if (entry) {
      const choice = choiceOf(entry, runsOnReckon(entry));
      if (choice.kind === 'remote') void this.#fetch(choice.origin, fit);
      else this.#load(choice);
    }
  };

  #controls() {
    const { filter, plan } = this;
    return html`
      <div class="chooser-controls">
        <label class="field search">
          <span class="label">Find</span>
          <input type="search" name="find" placeholder="qwen3 q4f16" autocomplete="off" spellcheck="false"
            .value=${filter.text}
            @input=${(event: Event) => {
              this.filter = { ...filter, text: (event.target as HTMLInputElement).value };
            }} />
        </label>
        <label class="field">
          <span class="label">Lanes</span>
          <input type="number" name="plan-lanes" min="1" max="64" step="1" inputmode="numeric" .value=${String(plan.lanes)}
            @change=${(event: Event) => {
              const lanes = (event.target as HTMLInputElement).valueAsNumber;
              this.plan = { ...plan, lanes: Number.isInteger(lanes) ? Math.min(64, Math.max(1, lanes)) : plan.lanes };
            }} />
        </label>
        <label class="field">
          <span class="label">Tokens each</span>
          <select name="plan-length" @change=${(event: Event) => {
            this.plan = { ...plan, length: Number((event.target as HTMLSelectElement).value) };
          }}>
            ${LENGTHS.map((length) => html`<option value=${length} ?selected=${length === plan.length}>${length}</option>`)}
          </select>
        </label>
        <label class="field" title="How keys and values lie in GPU memory. int8 takes about half of f16.">
          <span class="label">KV</span>
          <select name="plan-kv" @change=${(event: Event) => {
            this.plan = { ...plan, kv: (event.target as HTMLSelectElement).value as KvPrecision };
          }}>
            ${(['f16', 'int8', 'f32'] as const).map((kv) => html`<option value=${kv} ?selected=${kv === plan.kv}>${kv}</option>`)}
          </select>
        </label>
        <label class="field" title="What comes in 16 bits can be made smaller while it loads, at some cost in accuracy.">
          <span class="label">Weights</span>
          <select name="plan-weights" @change=${(event: Event) => {
            const value = (event.target as HTMLSelectElement).value;
            this.plan = { ...plan, quantize: WEIGHTS.find(({ quantize }) => quantize === value)?.quantize ?? null };
          }}>
            ${WEIGHTS.map(
              ({ quantize, label }) =>
                html`<option value=${quantize ?? ''} ?selected=${quantize === plan.quantize}>${label}</option>`,
            )}
          </select>
        </label>
        <label class="field check">
          <input type="checkbox" name="fitting" .checked=${filter.fitting}
            @change=${(event: Event) => {
              this.filter = { ...filter, fitting: (event.target as HTMLInputElement).checked };
            }} />
          <span>Only what runs here</span>
        </label>
      </div>
    `;
  }

  #rows(title: string, rows: readonly Row[]) {
    if (rows.length === 0) return nothing;
    const busy = this.shelfState?.download ?? null;
    return html`
      <h3>${title}</h3>
      <ul class="model-rows">
        ${repeat(
          rows,
          // A row keeps its element, and with it the focus and a first press of Delete, when others come above it.
          (row) => row.entry?.id ?? row.stored?.key,
          (row) => html`<li>
            <rk-model-row
              .row=${row}
              .busy=${busy !== null}
              .current=${row.name === this.current || row.entry?.source === this.current}
              .onAct=${this.#act}
              .onDelete=${(one: Row) => void (one.stored && this.shelf?.delete(one.stored))}
            ></rk-model-row>
          </li>`,
        )}
      </ul>
    `;
  }

  /** Not before the store has answered: what is here stands on top, and would move everything below a pointer. */
  #models() {
    const { here, there } = this.#list;
    return html`
      ${this.#rows('On this device', here)} ${this.#rows('To fetch', there)}
      ${here.length + there.length === 0 ? html`<p class="hint">Nothing matches. Any repository can be named above.</p>` : nothing}
    `;
  }

  override render() {
    const { shelfState: shelf } = this;
    return html`
      <dialog class="chooser" aria-labelledby="chooser-title" @close=${this.onClose}>
        <header class="chooser-head">
          <h2 id="chooser-title">Choose a model</h2>
          <button type="button" class="button icon" data-action="close" aria-label="Close" @click=${() => this.#close()}>
            <span aria-hidden="true">✕</span>
          </button>
        </header>
        <div class="chooser-body">
          ${shelf?.download ? html`<rk-download .download=${shelf.download} .onCancel=${() => this.shelf?.cancel()}></rk-download>` : nothing}
          ${shelf?.trouble ? html`<rk-notice .trouble=${{ ...shelf.trouble, reload: false }}></rk-notice>` : nothing}
          <rk-other-source
            .token=${this.token}
            .keep=${this.keep}
            .busy=${shelf?.download != null}
            .onToken=${(token: string) => {
              this.token = token;
            }}
            .onKeep=${(keep: boolean) => {
              this.keep = keep;
            }}
            .onOrigin=${(origin: ModelOrigin) => void this.#fetch(origin)}
            .onFiles=${(files: File[]) => this.#load({ kind: 'files', files })}
          ></rk-other-source>
          ${this.#controls()}
          ${shelf?.looked ? this.#models() : html`<p class="hint">Looking at what is kept on this device…</p>`}
          ${shelf?.space ? html`<p class="hint space">${spaceWords(shelf.space)}</p>` : nothing}
        </div>
      </dialog>
    `;
  }
}
