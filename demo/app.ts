/** The page: its state, and what passes between its parts. */
import { html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type { KvPrecision } from '../src/cost/shapes.ts';
import { isReckonError } from '../src/errors.ts';
import type { Budget } from '../src/strategies/budget.ts';
import { languageOf } from '../src/tasks/offers.ts';
import { announcements } from './announce.ts';
import { LightElement } from './elements/light-element.ts';
import { follow } from './follow.ts';
import { choiceInAddress, DEFAULT_CHOICE, type ModelChoice } from './models/choice.ts';
import type { Question } from './puzzles.ts';
import { type ChoiceOptions, type ModelState, Session } from './session.ts';
import { budgetOf, requestFor, type Settings } from './settings.ts';
import { IDLE, isActive, type RunAction, type RunView, reduceRun } from './state.ts';
import { chooseTheme, currentTheme, followTheme, type Theme } from './theme.ts';
import { explain, type Trouble } from './trouble.ts';
import './elements/answer-banner.ts';
import './elements/cost-panel.ts';
import './elements/lane-grid.ts';
import './elements/notice.ts';
import './elements/page-header.ts';
import './elements/prompt-form.ts';

@customElement('rk-app')
export class App extends LightElement {
  @state() private model: ModelState = { phase: 'loading', progress: null };
  @state() private run: RunView = IDLE;
  /** What went wrong with the last run, where the model survived it. */
  @state() private runTrouble: Trouble | null = null;
  /** What the last run was allowed. */
  @state() private budget: Budget | null = null;
  @state() private theme: Theme = 'light';
  @state() private spoken = '';

  /** The dialog in which models are chosen; its program comes when it is first opened. */
  @state() private choosing = false;

  readonly #session = new Session((model) => this.#modelChanged(model));
  #stop: AbortController | null = null;

  override connectedCallback(): void {
    super.connectedCallback();
    followTheme(() => {
      this.theme = currentTheme();
    });
    addEventListener('keydown', this.#onKey);
    void this.#session.choose(this.#asked());
  }

  /** The model that the page's address asks for. */
  #asked(): ModelChoice {
    try {
      return choiceInAddress(location.search);
    } catch (error) {
      this.runTrouble = explain(error, 'load');
      return DEFAULT_CHOICE;
    }
  }

  override disconnectedCallback(): void {
    removeEventListener('keydown', this.#onKey);
    this.#session.dispose();
    super.disconnectedCallback();
  }

  readonly #onKey = (event: KeyboardEvent) => {
    if (event.key === 'Escape' && isActive(this.run)) this.#stopRun();
  };

  #modelChanged(model: ModelState): void {
    const before = this.model.phase;
    this.model = model;
    if (before === model.phase) return;
    if (model.phase === 'ready') this.#say(`The model ${model.info.name} is ready.`);
    if (model.phase === 'loading') this.#say('Loading the model.');
  }

  #dispatch(action: RunAction): void {
    const before = this.run;
    this.run = reduceRun(before, action);
    const news = announcements(before, this.run);
    if (news.length > 0) this.#say(news.join(' '));
  }

  #say(text: string): void {
    this.spoken = text;
  }

  async #startRun(question: Question, settings: Settings): Promise<void> {
    const loaded = this.#session.loaded;
    if (!loaded || isActive(this.run)) return;
    const stop = new AbortController();
    this.#stop = stop;
    this.runTrouble = null;
    this.budget = budgetOf(settings);
    this.#dispatch({ type: 'start', lanes: settings.lanes });
    const meter = this.querySelector('reckon-budget');
    meter?.reset();
    try {
      const language = languageOf(loaded.model.info.name);
      const run = loaded.model.reason(requestFor(question, settings, language, stop.signal));
      await follow(run, loaded.died, (events) => {
        for (const event of events) meter?.push(event);
        this.#dispatch({ type: 'events', events });
      });
      this.#dispatch({ type: 'end', how: stop.signal.aborted ? 'stopped' : 'finished' });
    } catch (error) {
      const stopped = stop.signal.aborted && isReckonError(error, 'aborted');
      this.#dispatch({ type: 'end', how: stopped ? 'stopped' : 'failed' });
      if (!stopped && !this.#session.fail(error)) this.runTrouble = explain(error, 'run');
    } finally {
      meter?.end();
    }
  }

  #stopRun(): void {
    this.#stop?.abort();
    this.#dispatch({ type: 'stop' });
  }

  #toggleTheme(): void {
    chooseTheme(this.theme === 'dark' ? 'light' : 'dark');
    this.theme = currentTheme();
  }

  async #choose(): Promise<void> {
    await import('./elements/models/panel.ts');
    this.choosing = true;
  }

  #load(choice: ModelChoice, options: ChoiceOptions): void {
    if (isActive(this.run)) this.#stopRun();
    this.runTrouble = null;
    void this.#session.choose(choice, options);
  }

  #keepKvIn(kv: KvPrecision): void {
    this.runTrouble = null;
    void this.#session.keepKvIn(kv);
  }

  #trouble(): Trouble | null {
    return this.model.phase === 'failed' || this.model.phase === 'lost' ? this.model.trouble : this.runTrouble;
  }

  override render() {
    const trouble = this.#trouble();
    const { model, run, budget, theme } = this;
    const info = model.phase === 'ready' || model.phase === 'lost' ? model.info : null;
    return html`
      <rk-header
        .model=${model}
        .theme=${theme}
        .onTheme=${() => this.#toggleTheme()}
        .onModels=${() => void this.#choose()}
      ></rk-header>
      ${
        this.choosing
          ? html`<rk-models-panel
              .info=${info}
              .current=${this.#session.name}
              .onLoad=${(choice: ModelChoice, options: ChoiceOptions) => this.#load(choice, options)}
              .onClose=${() => {
                this.choosing = false;
              }}
            ></rk-models-panel>`
          : nothing
      }
      <main>
        ${
          trouble
            ? html`<rk-notice
                .trouble=${trouble}
                .onReload=${() => void this.#session.load()}
                .onKv=${(kv: KvPrecision) => this.#keepKvIn(kv)}
              ></rk-notice>`
            : nothing
        }
        <rk-prompt-form
          .model=${model}
          .named=${info?.name ?? this.#session.name}
          .phase=${run.phase}
          .onRun=${(question: Question, settings: Settings) => void this.#startRun(question, settings)}
          .onStop=${() => this.#stopRun()}
          .onKv=${(kv: KvPrecision) => this.#keepKvIn(kv)}
        ></rk-prompt-form>
        <div class="results">
          <div class="thoughts">
            <rk-answer .run=${run}></rk-answer>
            <rk-lanes .lanes=${run.lanes}></rk-lanes>
          </div>
          <rk-costs .run=${run} .budget=${budget} .info=${info} .theme=${theme}></rk-costs>
        </div>
      </main>
      <p class="visually-hidden" role="status" aria-live="polite">${this.spoken}</p>
    `;
  }
}
