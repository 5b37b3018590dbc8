/** The lab's page: an experiment, run in a worker of its own, kept in this browser. */
import { html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import { DEFAULT_MODEL } from '../../src/cost/catalogue.ts';
import { isReckonError } from '../../src/errors.ts';
import type { Experiment } from '../../src/lab/index.ts';
import { LightElement } from '../elements/light-element.ts';
import { nameInAddress } from '../models/choice.ts';
import { chooseTheme, currentTheme, followTheme, type Theme } from '../theme.ts';
import { missingWebGpu } from '../trouble.ts';
import {
  comparable,
  type Kept,
  keep,
  keepSpeed,
  readKept,
  readSpeed,
  storeName,
  type TextStorage,
  unkeep,
} from './kept.ts';
import { workOf } from './plan.ts';
import { progressBar } from './progress.ts';
import { LabSession } from './session.ts';
import { IDLE, isBusy, type LabAction, type LabView, labNews, reduceLab } from './state.ts';
import '../elements/notice.ts';
import './comparison.ts';
import './form.ts';
import './results.ts';

/** Tokens of a session before its pace says anything. */
const PACE_TOKENS = 500;

/** The page's storage; of none where reading it is forbidden. */
function pageStorage(): TextStorage {
  try {
    return localStorage;
  } catch {
    return { getItem: () => null, setItem: () => {} };
  }
}

/** What the address asks for, or why that can be no model. */
function askedFor(search: string): { model: string | null; complaint: string | null } {
  try {
    return { model: nameInAddress(search), complaint: null };
  } catch (error) {
    if (!isReckonError(error)) throw error;
    // Without the hint, which is about the page of puzzles.
    return { model: null, complaint: error.message.replace(` ${error.hint}`, '') };
  }
}

@customElement('rk-lab')
export class LabApp extends LightElement {
  @state() private view: LabView = IDLE;
  @state() private theme: Theme = 'light';
  @state() private spoken = '';
  /** The experiment on the page. */
  @state() private shown: Experiment | null = null;
  @state() private kept: Kept[] = [];

  readonly #asked = askedFor(location.search);
  readonly #storage = pageStorage();
  readonly #session = new LabSession((action) => this.#take(action));

  override connectedCallback(): void {
    super.connectedCallback();
    followTheme(() => {
      this.theme = currentTheme();
    });
    const trouble = missingWebGpu({
      isSecureContext,
      hasGpu: 'gpu' in navigator && Boolean(navigator.gpu),
      platform: navigator.userAgent,
    });
    if (trouble) this.#take({ type: 'trouble', trouble });
    this.kept = readKept(this.#storage);
    const latest = this.kept[0];
    if (latest && (this.#asked.model ?? latest.experiment.model) === latest.experiment.model)
      this.#open(latest.experiment);
  }

  override disconnectedCallback(): void {
    this.#session.end();
    super.disconnectedCallback();
  }

  #take(action: LabAction): void {
    const before = this.view;
    this.view = reduceLab(before, action);
    const news = labNews(before, this.view);
    if (news) this.spoken = news;
    if (action.type === 'progress') this.#keepProgress();
    if (action.type === 'end' && action.how === 'shown') this.#checkShown();
    if (this.view.trouble?.reload) this.#session.end();
  }

  /** The browser may have thrown the samples away and left the index: then there is nothing to show, but to run anew. */
  #checkShown(): void {
    const entry = this.shown && this.#find(this.shown);
    if (entry && entry.runsDone >= entry.runsTotal && !this.view.results) {
      this.kept = unkeep(this.#storage, entry.name);
      this.spoken = 'The samples of this experiment are no longer stored.';
    }
  }

  #keepProgress(): void {
    const { progress, unkept } = this.view;
    if (!progress || !this.shown || unkept) return;
    const { unitsDone: runsDone, unitsTotal: runsTotal, tokens, seconds } = progress;
    const name = storeName(this.shown);
    const known = this.kept[0];
    if (known?.name !== name || known.runsDone !== runsDone) {
      this.kept = keep(this.#storage, { name, experiment: this.shown, runsDone, runsTotal });
    }
    if (tokens > PACE_TOKENS && seconds > 0) keepSpeed(this.#storage, tokens / seconds);
  }

  #find(experiment: Experiment): Kept | undefined {
    const name = storeName(experiment);
    return this.kept.find((entry) => entry.name === name);
  }

  /** Shows what is kept of an experiment. */
  #open(experiment: Experiment): void {
    if (isBusy(this.view)) return;
    if (this.view.trouble === null) this.#take({ type: 'clear' });
    this.shown = experiment;
    this.#session.send({ type: 'show', name: storeName(experiment), experiment });
  }

  #run(experiment: Experiment): void {
    if (isBusy(this.view)) return;
    const entry = this.#find(experiment);
    if (entry && entry.runsDone >= entry.runsTotal) {
      // Only looked at anew, and that is remembered.
      this.kept = keep(this.#storage, { ...entry, experiment });
      this.#open(experiment);
      return;
    }
    if (!this.shown || storeName(this.shown) !== storeName(experiment)) this.#take({ type: 'clear' });
    this.shown = experiment;
    const { runs } = workOf(experiment);
    if (!this.view.unkept) {
      const done = { runsDone: entry?.runsDone ?? 0, runsTotal: runs };
      this.kept = keep(this.#storage, { name: storeName(experiment), experiment, ...done });
    }
    this.#take({ type: 'start' });
    const model = new URL(`../models/${experiment.model}/`, document.baseURI).href;
    this.#session.send({ type: 'run', name: storeName(experiment), experiment, model });
  }

  #pause(): void {
    this.#take({ type: 'pausing' });
    this.#session.send({ type: 'pause' });
  }

  #forget({ name, experiment }: Kept): void {
    this.kept = unkeep(this.#storage, name);
    this.#session.send({ type: 'forget', name });
    if (this.shown && storeName(this.shown) === name) this.#take({ type: 'clear' });
    this.spoken = `${experiment.title} is deleted.`;
  }

  #keptList() {
    const { kept, view } = this;
    if (kept.length === 0) return nothing;
    const busy = isBusy(view);
    return html`
      <section class="lab-kept" aria-labelledby="lab-kept-title">
        <h2 id="lab-kept-title">Kept in this browser</h2>
        <ul>
          ${kept.map((entry) => {
            const { experiment, runsDone, runsTotal } = entry;
            const { title, model, problems, samples, thinking } = experiment;
            const unfinished = runsDone < runsTotal;
            return html`<li>
              <span>
                <strong>${title}</strong>, ${model}, ${problems} × ${samples} chains, limits ${thinking.join(', ')}:
                ${unfinished ? html`<span class="slow">${runsDone} of ${runsTotal} runs done</span>` : 'finished'}
              </span>
              <span class="lab-kept-actions">
                ${unfinished ? html`<button type="button" class="button" data-action="resume" ?disabled=${busy} @click=${() => this.#run(experiment)}>Resume</button>` : nothing}
                <button type="button" class="button" data-action="show" ?disabled=${busy} @click=${() => this.#open(experiment)}>Show</button>
                <button type="button" class="button" data-action="forget" ?disabled=${busy} @click=${() => this.#forget(entry)}>Delete</button>
              </span>
            </li>`;
          })}
        </ul>
        ${this.#compareButton(busy)}
      </section>
    `;
  }

  #compareButton(busy: boolean) {
    const stores = this.shown ? comparable(this.kept, this.shown) : [];
    if (stores.length === 0) return nothing;
    const compare = () => this.#session.send({ type: 'compare', stores });
    return html`<button type="button" class="button" data-action="compare" ?disabled=${busy} @click=${compare}>
      Compare ${stores.map(({ experiment }) => experiment.model).join(', ')}
    </button>`;
  }

  #header() {
    const { model } = this.view;
    const other = this.theme === 'dark' ? 'light' : 'dark';
    const toggle = () => {
      chooseTheme(other);
      this.theme = currentTheme();
    };
    return html`
      <header class="page-header">
        <div class="title">
          <h1>Reckon: the lab</h1>
          <p>How accuracy grows with what is spent on thinking. <a href="../">To the puzzles</a></p>
        </div>
        <div class="model">
          ${
            model
              ? html`<span class="dot ready" aria-hidden="true"></span>
                <span class="model-words">
                  <span class="model-facts"><strong>${model.name}</strong> <span class="device">${model.device}</span></span>
                  ${model.software ? html`<span class="slow">running on the CPU: correct, but slow</span>` : nothing}
                </span>`
              : nothing
          }
        </div>
        <button type="button" class="button icon theme" @click=${toggle} aria-label="Switch to the ${other} theme" title="Switch to the ${other} theme">
          <span aria-hidden="true">${this.theme === 'dark' ? '☀' : '☾'}</span>
        </button>
      </header>
    `;
  }

  override render() {
    const { view, shown } = this;
    const retry = () => shown && this.#run(shown);
    return html`
      ${this.#header()}
      <main>
        ${view.trouble ? html`<rk-notice .trouble=${view.trouble} .onReload=${retry}></rk-notice>` : nothing}
        ${
          this.#asked.complaint === null
            ? nothing
            : html`<p class="lab-unkept" role="alert">${this.#asked.complaint} The form begins with ${DEFAULT_MODEL} instead.</p>`
        }
        ${
          view.unkept
            ? html`<p class="lab-unkept" role="alert">Results last only until this page is closed: download them before. ${view.unkept}</p>`
            : nothing
        }
        <rk-lab-form
          .phase=${view.phase}
          .shown=${shown}
          .asked=${this.#asked.model}
          .speed=${readSpeed(this.#storage)}
          .doneOf=${(experiment: Experiment) => {
            const entry = this.#find(experiment);
            return entry ? entry.runsDone / entry.runsTotal : null;
          }}
          .onRun=${(experiment: Experiment) => this.#run(experiment)}
          .onPause=${() => this.#pause()}
        ></rk-lab-form>
        ${progressBar(view)}
        <rk-lab-results .results=${view.results}></rk-lab-results>
        <rk-lab-comparison .files=${view.comparison}></rk-lab-comparison>
        ${this.#keptList()}
      </main>
      <p class="visually-hidden" role="status" aria-live="polite">${this.spoken}</p>
    `;
  }
}
