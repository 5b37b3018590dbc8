/** The question, the settings, and the one button. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { KvPrecision } from '../../src/cost/shapes.ts';
import { isReckonError } from '../../src/errors.ts';
import { languageOf } from '../../src/tasks/offers.ts';
import {
  FREE,
  puzzleText,
  type Question,
  readQuestion,
  type Topic,
  type TopicId,
  thinkingFor,
  topicById,
  topicsFor,
} from '../puzzles.ts';
import type { ModelState } from '../session.ts';
import { BOUNDS, DEFAULTS, firstWrong, type Settings } from '../settings.ts';
import type { RunPhase } from '../state.ts';
import { suggest } from '../suggest.ts';
import { LightElement } from './light-element.ts';
import { settingsFields } from './settings-fields.ts';

/** The puzzle a reader meets first: fixed, so that two visits can be compared, and one that not every lane solves. */
const FIRST_SEED = 7;

@customElement('rk-prompt-form')
export class PromptForm extends LightElement {
  @property({ attribute: false }) model: ModelState = { phase: 'loading', progress: null };
  /** The model that is loaded, or on its way: what can be asked follows from it. */
  @property({ attribute: false }) named = '';
  @property({ attribute: false }) phase: RunPhase = 'idle';
  @property({ attribute: false }) onRun: (question: Question, settings: Settings) => void = () => {};
  @property({ attribute: false }) onStop: () => void = () => {};
  /** Asked for another precision of the KV, which loads the model again. */
  @property({ attribute: false }) onKv: (kv: KvPrecision) => void = () => {};

  /** Of `named`; none before a model has a name. */
  @state() private topic: TopicId = '';
  @state() private difficulty = 0;
  @state() private seed = FIRST_SEED;
  @state() private text = '';
  @state() private complaint: string | null = null;
  @state() private settings: Settings = DEFAULTS;
  /** Precision of the KV of what was loaded last. */
  @state() private kv: KvPrecision | null = null;
  /** What the planner said last. */
  @state() private advice: string | null = null;

  /** The limit of thinking that suits what is asked. */
  #fitting = DEFAULTS.thinking;

  get #active(): boolean {
    return this.phase === 'running' || this.phase === 'stopping';
  }

  /** Poses a puzzle. The limit of thinking follows, unless a person has set another. */
  #pose(id: TopicId, difficulty: number, seed: number): void {
    const topic = topicById(this.named, id);
    const { thinking } = this.settings;
    if (thinking === this.#fitting) this.settings = { ...this.settings, thinking: this.#limit(topic, difficulty) };
    this.#fitting = this.#limit(topic, difficulty);
    this.topic = topic.id;
    this.difficulty = difficulty;
    this.seed = seed;
    this.complaint = null;
    this.text = topic.id === FREE ? '' : puzzleText(topic.id, seed, difficulty);
  }

  /** The limit of thinking that suits a puzzle: a short context takes less. */
  #limit(topic: Topic, difficulty: number): number {
    const most = this.model.phase === 'ready' ? this.model.info.maxContext : BOUNDS.thinking.max;
    return Math.min(thinkingFor(topic, difficulty), most, BOUNDS.thinking.max);
  }

  readonly #onTopic = (event: Event) => {
    const { id, difficulty } = topicById(this.named, (event.target as HTMLInputElement).value);
    this.#pose(id, difficulty, this.seed);
  };

  readonly #onDifficulty = (event: Event) => {
    this.#pose(this.topic, Number((event.target as HTMLSelectElement).value), this.seed);
  };

  readonly #onAnother = () => {
    this.#pose(this.topic, this.difficulty, Math.floor(Math.random() * 1_000_000));
  };

  readonly #onText = (event: Event) => {
    this.text = (event.target as HTMLTextAreaElement).value;
    // A complaint goes as soon as it is met; a new one waits until the writer is done.
    if (this.complaint) this.#judge();
  };

  readonly #onTextDone = () => this.#judge();

  readonly #onTextKey = (event: KeyboardEvent) => {
    if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
    // Puzzles are one line; a prompt of one's own may have many.
    if (this.topic === FREE && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.#run();
  };

  /** The question, or null with the complaint shown. */
  #judge(): Question | null {
    const read = readQuestion(this.topic, this.text);
    this.complaint = 'complaint' in read ? read.complaint : null;
    return 'question' in read ? read.question : null;
  }

  readonly #onSubmit = (event: Event) => {
    event.preventDefault();
    this.#run();
  };

  #run(): void {
    if (this.#active || this.model.phase !== 'ready') return;
    const question = this.#judge();
    if (!question) {
      this.querySelector('textarea')?.focus();
      return;
    }
    const wrong = firstWrong(this.settings);
    if (wrong) {
      const input = this.querySelector<HTMLInputElement>(`input[name=${wrong}]`);
      // What is folded away cannot take the focus.
      const fold = input?.closest('details');
      if (fold) fold.open = true;
      input?.focus();
      return;
    }
    this.onRun(question, this.settings);
  }

  readonly #onChange = (patch: Partial<Settings>) => {
    this.settings = { ...this.settings, ...patch };
    this.advice = null;
  };

  readonly #onAdvise = () => {
    if (this.model.phase !== 'ready') return;
    const question = this.#judge();
    if (!question) return;
    try {
      const { settings, reason } = suggest(question, this.settings, this.model.info);
      this.settings = { ...this.settings, ...settings };
      this.advice = reason;
    } catch (error) {
      if (!isReckonError(error)) throw error;
      this.advice = error.message;
    }
  };

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('named')) this.#meet();
    if (!changed.has('model') || this.model.phase !== 'ready') return;
    const { backend, precision } = this.model.info;
    this.kv = backend ? null : precision.kv;
    // A short context takes less thinking than the default.
    const most = Math.min(this.model.info.maxContext, BOUNDS.thinking.max);
    this.#fitting = Math.min(this.#fitting, most);
    if (this.settings.thinking > most) this.settings = { ...this.settings, thinking: most };
  }

  /** Another model: what is asked stays, where it knows such questions. */
  #meet(): void {
    const topic = topicById(this.named, this.topic);
    if (topic.id !== this.topic) this.#pose(topic.id, topic.difficulty, this.seed);
    else {
      const limit = this.#limit(topic, this.difficulty);
      if (this.settings.thinking === this.#fitting) this.settings = { ...this.settings, thinking: limit };
      this.#fitting = limit;
    }
  }

  #button() {
    if (this.#active) {
      const stopping = this.phase === 'stopping';
      return html`
        <button type="button" class="button primary stop" data-action="stop" ?disabled=${stopping} @click=${this.onStop}>
          ${stopping ? 'Stopping…' : html`Stop <kbd>Esc</kbd>`}
        </button>
      `;
    }
    return html`
      <button type="submit" class="button primary" data-action="run" ?disabled=${this.model.phase !== 'ready'}>
        Run
      </button>
    `;
  }

  #topicBar() {
    const topic = topicById(this.named, this.topic);
    return html`
      <div class="topic-bar">
        <fieldset class="segments">
          <legend class="visually-hidden">Kind of question</legend>
          ${topicsFor(this.named).map(
            ({ id, title }) => html`
              <label>
                <input type="radio" name="topic" value=${id} .checked=${id === this.topic} @change=${this.#onTopic} />
                <span>${title}</span>
              </label>
            `,
          )}
        </fieldset>
        ${
          topic.id === FREE
            ? nothing
            : html`
              <label class="inline">
                <span class="visually-hidden">Difficulty</span>
                <select name="difficulty" @change=${this.#onDifficulty}>
                  ${topic.difficulties.map(
                    ({ value, label }) =>
                      html`<option value=${value} .selected=${value === this.difficulty}>${label}</option>`,
                  )}
                </select>
              </label>
              <button type="button" class="button" data-action="another" @click=${this.#onAnother}>Another</button>
            `
        }
      </div>
    `;
  }

  override render() {
    const { complaint } = this;
    const free = this.topic === FREE;
    const styled = languageOf(this.named) === 'family';
    const disabled = this.#active || this.model.phase !== 'ready';
    const cache = { kv: this.kv, disabled, take: this.onKv };
    return html`
      <form class="prompt" @submit=${this.#onSubmit} novalidate aria-label="Question">
        ${this.#topicBar()}
        <div class="question">
          <label class="visually-hidden" for="question">${free ? 'Prompt' : 'Puzzle'}</label>
          <textarea
            id="question"
            rows=${free ? 4 : 2}
            spellcheck="false"
            autocomplete="off"
            aria-invalid=${complaint ? 'true' : 'false'}
            aria-describedby="question-note"
            .value=${this.text}
            @input=${this.#onText}
            @change=${this.#onTextDone}
            @keydown=${this.#onTextKey}
          ></textarea>
          <p id="question-note" class=${complaint ? 'complaint' : 'hint'} aria-live="polite">
            ${complaint ?? topicById(this.named, this.topic).description}
          </p>
        </div>
        <div class="controls">
          ${settingsFields(this.settings, { verifiable: !free, styled, cache }, this.#onChange, this.#onAdvise)}
          ${this.#button()}
        </div>
        <p class="hint advice" aria-live="polite" ?hidden=${!this.advice}>${this.advice}</p>
      </form>
    `;
  }
}
