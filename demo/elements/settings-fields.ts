/** The controls of a run: lanes, temperature, limits, how to choose; behind a disclosure what few will need. */
import { html, nothing } from 'lit';
import { KV_PRECISIONS, type KvPrecision } from '../../src/cost/shapes.ts';
import {
  BOUNDS,
  BUDGETS,
  type BudgetName,
  complaintAbout,
  type FieldName,
  type LoopAction,
  type NumberName,
  type Selector,
  type Settings,
  STYLES,
  selectorFor,
} from '../settings.ts';

type Change = (patch: Partial<Settings>) => void;

/** How the model that is loaded keeps keys and values; null: that is not Reckon's to say. */
export interface CacheChoice {
  readonly kv: KvPrecision | null;
  /** Not while a run or a load is under way. */
  readonly disabled: boolean;
  readonly take: (kv: KvPrecision) => void;
}

const SELECTORS: readonly { id: Selector; label: string; explain: string }[] = [
  { id: 'verifier', label: 'Verifier', explain: "The task's own check: a right answer wins." },
  { id: 'majority', label: 'Majority', explain: 'The answer most lanes agree on.' },
  { id: 'logprob', label: 'Log-probability', explain: 'The lane whose tokens the model found likeliest on average.' },
];

const LOOPS: readonly { id: LoopAction; label: string; explain: string }[] = [
  { id: 'off', label: 'Let it', explain: 'A lane may repeat itself until its limit.' },
  { id: 'stop', label: 'Answer', explain: 'A lane that repeats itself is made to answer.' },
  { id: 'resample', label: 'Resample', explain: 'The repeat is taken back and drawn anew.' },
  { id: 'penalise', label: 'Penalise', explain: 'For a while, tokens the lane has used are less likely.' },
];

const POLICIES: readonly (readonly [value: string, label: string])[] = [
  ['dense', 'everything'],
  ['block:16x4', 'the 4 best blocks of 16 tokens'],
  ['block:16x64', 'the 64 best blocks of 16 tokens'],
  ['window:4+64', 'the first 4 and the last 64 tokens'],
  ['topk:64', 'the 64 best tokens, found at the full price'],
];

function field(name: FieldName, label: string, explain: string, settings: Settings, input: unknown) {
  const complaint = complaintAbout(name, settings);
  return html`
    <label class="field" title=${explain}>
      <span class="label">${label}</span>
      ${input}
      <span id="about-${name}" class=${complaint ? 'complaint' : 'visually-hidden'}>${complaint ?? explain}</span>
    </label>
  `;
}

function numberField(name: NumberName, settings: Settings, change: Change) {
  const { label, min, max, step, explain } = BOUNDS[name];
  const value = settings[name];
  const input = html`
    <input
      name=${name}
      type="number"
      inputmode=${step === 1 ? 'numeric' : 'decimal'}
      min=${min}
      max=${max}
      step=${step === 1 ? 1 : 'any'}
      .value=${Number.isNaN(value) ? '' : String(value)}
      aria-invalid=${complaintAbout(name, settings) ? 'true' : 'false'}
      aria-describedby="about-${name}"
      @change=${(event: Event) => change({ [name]: (event.target as HTMLInputElement).valueAsNumber })}
    />
  `;
  return field(name, label, explain, settings, input);
}

function budgetField(name: BudgetName, settings: Settings, change: Change) {
  const { label, example, explain } = BUDGETS[name];
  const input = html`
    <input
      name=${name}
      type="text"
      inputmode=${name === 'tokens' || name === 'seconds' ? 'decimal' : 'text'}
      autocomplete="off"
      spellcheck="false"
      placeholder="none"
      .value=${settings.budget[name]}
      aria-invalid=${complaintAbout(name, settings) ? 'true' : 'false'}
      aria-describedby="about-${name}"
      @change=${(event: Event) =>
        change({ budget: { ...settings.budget, [name]: (event.target as HTMLInputElement).value } })}
    />
  `;
  return field(name, label, `${explain} For example ${example}; empty is no limit.`, settings, input);
}

/** A policy that is written, with the common ones to pick from. */
function attentionField(settings: Settings, change: Change) {
  const input = html`
    <input
      name="attention"
      type="text"
      list="attention-policies"
      autocomplete="off"
      spellcheck="false"
      .value=${settings.attention}
      aria-invalid=${complaintAbout('attention', settings) ? 'true' : 'false'}
      aria-describedby="about-attention"
      @change=${(event: Event) => change({ attention: (event.target as HTMLInputElement).value })}
    />
    <datalist id="attention-policies">
      ${POLICIES.map(([value, label]) => html`<option value=${value}>${label}</option>`)}
    </datalist>
  `;
  const explain =
    'Which tokens a new token looks back at: all (dense), the best blocks (block:SIZExCOUNT), or first and last ones (window:FIRST+LAST).';
  return field('attention', 'Attention', explain, settings, input);
}

/** A setting of the engine and not of a run: another one loads the model again. */
function cacheField({ kv, disabled, take }: CacheChoice) {
  if (kv === null) return nothing;
  const explain =
    'How keys and values lie in GPU memory: int8 takes about half the room of f16, f32 twice. The model is loaded again.';
  return html`
    <label class="field" title=${explain}>
      <span class="label">KV cache</span>
      <select
        name="kv"
        aria-describedby="about-kv"
        ?disabled=${disabled}
        .value=${kv}
        @change=${(event: Event) => take((event.target as HTMLSelectElement).value as KvPrecision)}
      >
        ${KV_PRECISIONS.map((one) => html`<option value=${one} ?selected=${one === kv}>${one}</option>`)}
      </select>
      <span id="about-kv" class="visually-hidden">${explain}</span>
    </label>
  `;
}

function choice<T extends string>(
  name: string,
  label: string,
  options: readonly { id: T; label: string; explain: string }[],
  chosen: T,
  take: (id: T) => void,
) {
  return html`
    <label class="field" title=${options.find(({ id }) => id === chosen)?.explain ?? ''}>
      <span class="label">${label}</span>
      <select name=${name} @change=${(event: Event) => take((event.target as HTMLSelectElement).value as T)}>
        ${options.map((option) => html`<option value=${option.id} ?selected=${option.id === chosen}>${option.label}</option>`)}
      </select>
    </label>
  `;
}

/** What the fields depend on beside the settings. */
export interface Circumstances {
  /** Whether answers can be checked; without that the verifier is no choice. */
  readonly verifiable: boolean;
  /** Whether the model was taught to think at a length. */
  readonly styled: boolean;
  readonly cache: CacheChoice;
}

/**
 * The fields as a template.
 * @param advise asked for the best settings within the budget.
 */
export function settingsFields(
  settings: Settings,
  { verifiable, styled, cache }: Circumstances,
  change: Change,
  advise: () => void,
) {
  const selectors = SELECTORS.filter(({ id }) => verifiable || id !== 'verifier');
  const hidden = [settings.budget.eflops, settings.budget.bytes].some((text) => text.trim() !== '');
  const shaped = settings.leastThinking !== 0 || settings.loop !== 'off' || settings.attention.trim() !== 'dense';
  return html`
    <fieldset class="settings">
      <legend class="visually-hidden">Settings</legend>
      ${numberField('lanes', settings, change)} ${numberField('temperature', settings, change)}
      ${numberField('thinking', settings, change)}
      ${styled ? choice('style', 'Thinking style', STYLES, settings.style, (style) => change({ style })) : nothing}
      ${choice('select', 'Choose by', selectors, selectorFor(settings, verifiable), (select) => change({ select }))}
      <label class="field check" title="Stops lanes that can no longer change the choice. Off: every lane thinks to its end.">
        <input
          name="earlyStop"
          type="checkbox"
          .checked=${settings.earlyStop}
          @change=${(event: Event) => change({ earlyStop: (event.target as HTMLInputElement).checked })}
        />
        <span>Stop lanes early</span>
      </label>
      ${budgetField('tokens', settings, change)} ${budgetField('seconds', settings, change)}
      <button
        type="button"
        class="button advise"
        data-action="suggest"
        title="Fills in how many lanes, and how long each may think, for the best expected accuracy within the budget."
        @click=${advise}
      >
        Suggest lanes
      </button>
      <details class="advanced">
        <summary>Advanced${hidden || shaped ? html` <span class="set">(in use)</span>` : nothing}</summary>
        <div class="settings">
          ${budgetField('eflops', settings, change)} ${budgetField('bytes', settings, change)}
          ${numberField('leastThinking', settings, change)} ${attentionField(settings, change)}
          ${cacheField(cache)}
          ${choice('loop', 'A lane that loops', LOOPS, settings.loop, (loop) => change({ loop }))}
        </div>
      </details>
    </fieldset>
  `;
}
