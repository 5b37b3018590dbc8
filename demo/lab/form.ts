/** The experiment as a form, with how much work it is. */
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { DEFAULT_MODEL, EMBEDDED_MODELS } from '../../src/cost/catalogue.ts';
import type { Experiment } from '../../src/lab/index.ts';
import { type LengthChoice, languageOf } from '../../src/tasks/index.ts';
import { LightElement } from '../elements/light-element.ts';
import { FREE, topicById, topicsFor } from '../puzzles.ts';
import { STYLES } from '../settings.ts';
import {
  BOUNDS,
  type Complaints,
  type Field,
  formFor,
  formOf,
  type LabForm,
  type NumberField,
  type Plan,
  planOf,
  reformed,
  workOf,
} from './plan.ts';
import { counted, roughly } from './progress.ts';
import type { Phase } from './state.ts';

const EXPLAIN: Record<Field, string> = {
  problems: 'Puzzles, all different. More make the intervals narrower.',
  n: 'How many chains Best-of-N is looked at with.',
  thinking: 'Tokens a chain may think before it is made to answer: a line in the plot for each.',
  samples:
    'Chains drawn for each problem and limit; every N is worked out from the same ones. More than the largest N are better.',
  temperature: '0 always takes the likeliest token, so that all chains say the same; higher is more varied.',
  kv: 'What a token looks back at, one or several: dense, block:16x4, window:4+64, topk:64. A line in the plot of KV budgets.',
};

interface Option {
  readonly value: string;
  readonly words: string;
}

const STYLE_OPTIONS: readonly Option[] = STYLES.map(({ id, label }) => ({ value: id, words: label }));

/** Text: nothing to bound. */
const ATTENTION = { label: 'Attention', min: 0, max: 0, whole: true };
const FIELDS: readonly Field[] = [...(Object.keys(BOUNDS) as NumberField[]), 'kv'];

@customElement('rk-lab-form')
export class LabFormElement extends LightElement {
  @property({ attribute: false }) phase: Phase = 'idle';
  /** Fills the form in, whenever it is another. */
  @property({ attribute: false }) shown: Experiment | null = null;
  /** Tokens a second of the last session. */
  @property({ attribute: false }) speed: number | null = null;
  /** How much of an experiment is kept, as a share of 1; null where nothing of it is. */
  @property({ attribute: false }) doneOf: (experiment: Experiment) => number | null = () => null;
  @property({ attribute: false }) onRun: (experiment: Experiment) => void = () => {};
  @property({ attribute: false }) onPause: () => void = () => {};
  /** The model to begin with; null: the usual one. */
  @property({ attribute: false }) asked: string | null = null;
  @state() private values: LabForm = formFor(DEFAULT_MODEL);
  /** Of `values`. Finding that there are enough problems takes too long for every report of progress. */
  #plan: Plan = planOf(this.values);

  protected override willUpdate(changed: Map<string, unknown>): void {
    if (changed.has('asked') && this.asked !== null) this.values = formFor(this.asked);
    if (changed.has('shown') && this.shown) this.values = formOf(this.shown);
    if (changed.has('values')) this.#plan = planOf(this.values);
  }

  #set(patch: Partial<LabForm>): void {
    this.values = { ...this.values, ...patch };
  }

  #field(field: Field, complaints: Complaints, busy: boolean) {
    const { label, min, max, whole } = field === 'kv' ? ATTENTION : BOUNDS[field];
    const value = this.values[field];
    const list = typeof value === 'string';
    const complaint = complaints[field];
    const shown = list ? value : Number.isNaN(value) ? '' : String(value);
    const change = ({ target }: Event) => {
      const input = target as HTMLInputElement;
      this.#set({ [field]: list ? input.value : input.valueAsNumber });
    };
    return html`
      <label class="field" title=${EXPLAIN[field]}>
        <span class="label">${label}</span>
        <input
          name=${field}
          type=${list ? 'text' : 'number'}
          inputmode=${field === 'kv' ? 'text' : whole ? 'numeric' : 'decimal'}
          min=${list ? nothing : min}
          max=${list ? nothing : max}
          step=${list ? nothing : whole ? 1 : 'any'}
          autocomplete="off"
          .value=${shown}
          ?disabled=${busy}
          aria-invalid=${complaint ? 'true' : 'false'}
          aria-describedby="about-${field}"
          @change=${change}
        />
        <span id="about-${field}" class=${complaint ? 'complaint' : 'visually-hidden'}>${complaint ?? EXPLAIN[field]}</span>
      </label>
    `;
  }

  #choice(
    name: string,
    label: string,
    options: readonly Option[],
    chosen: string,
    busy: boolean,
    take: (value: string) => void,
  ) {
    return html`
      <label class="field">
        <span class="label">${label}</span>
        <select name=${name} ?disabled=${busy} @change=${({ target }: Event) => take((target as HTMLSelectElement).value)}>
          ${options.map(({ value, words }) => html`<option value=${value} .selected=${value === chosen}>${words}</option>`)}
        </select>
      </label>
    `;
  }

  #choices(busy: boolean) {
    const { model, task, difficulty, style } = this.values;
    const topics = topicsFor(model).filter(({ id }) => id !== FREE);
    const models = EMBEDDED_MODELS.includes(model) ? EMBEDDED_MODELS : [...EMBEDDED_MODELS, model];
    const reform = (patch: Parameters<typeof reformed>[1]) => {
      this.values = reformed(this.values, patch);
    };
    const tasks = topics.map(({ id, title }) => ({ value: id, words: title }));
    const difficulties = topicById(model, task).difficulties.map(({ value, label }) => ({
      value: `${value}`,
      words: label,
    }));
    return html`
      ${this.#choice(
        'model',
        'Model',
        models.map((name) => ({ value: name, words: name })),
        model,
        busy,
        (name) => reform({ model: name }),
      )}
      ${this.#choice('task', 'Task', tasks, task, busy, (id) => reform({ task: id }))}
      ${this.#choice('difficulty', 'Difficulty', difficulties, `${difficulty}`, busy, (value) => reform({ difficulty: Number(value) }))}
      ${
        languageOf(model) === 'family'
          ? this.#choice('style', 'Thinking style', STYLE_OPTIONS, style, busy, (value) =>
              this.#set({ style: value as LengthChoice }),
            )
          : nothing
      }
    `;
  }

  #work(experiment: Experiment) {
    const { runs, chains, mostTokens } = workOf(experiment);
    const time = this.speed ? `: at most ${roughly(mostTokens / this.speed)} at the pace of the last time` : '';
    return `${counted(chains, 'chain')} in ${counted(runs, 'run')}, up to ${counted(mostTokens, 'token')}${time}.`;
  }

  #button(experiment: Experiment | null) {
    const { phase } = this;
    if (phase === 'loading' || phase === 'running' || phase === 'pausing') {
      const pausing = phase === 'pausing';
      return html`<button type="button" class="button primary stop" data-action="pause" ?disabled=${pausing} @click=${this.onPause}>
        ${pausing ? 'Pausing…' : 'Pause'}
      </button>`;
    }
    const done = experiment && this.doneOf(experiment);
    const words = done === null ? 'Run' : done < 1 ? 'Resume' : 'Show';
    return html`<button type="submit" class="button primary" data-action="run">${words}</button>`;
  }

  readonly #submit = (event: Event) => {
    event.preventDefault();
    const plan = this.#plan;
    if ('experiment' in plan) this.onRun(plan.experiment);
    else this.querySelector<HTMLInputElement>('[aria-invalid=true]')?.focus();
  };

  override render() {
    const plan = this.#plan;
    const busy = this.phase === 'loading' || this.phase === 'running' || this.phase === 'pausing';
    const complaints = 'complaints' in plan ? plan.complaints : {};
    const experiment = 'experiment' in plan ? plan.experiment : null;
    return html`
      <form class="prompt lab-form" novalidate aria-label="Experiment" @submit=${this.#submit}>
        <div class="lab-fields">
          ${this.#choices(busy)} ${FIELDS.map((field) => this.#field(field, complaints, busy))}
        </div>
        <div class="lab-actions">
          <p class="hint" data-part="work">
            ${experiment ? this.#work(experiment) : (complaints.form ?? 'A field has to be put right first.')}
          </p>
          ${this.#button(experiment)}
        </div>
      </form>
    `;
  }
}
