/** The controls of a run: lanes, temperature, thinking limit, how to choose, whether to stop early. */
import { html, nothing } from 'lit';
import { BOUNDS, complaintAbout, type Selector, type Settings, selectorFor } from '../settings.ts';

type NumberName = keyof typeof BOUNDS;

const SELECTORS: readonly { id: Selector; label: string; explain: string }[] = [
  { id: 'verifier', label: 'Verifier', explain: "The task's own check: a right answer wins." },
  { id: 'majority', label: 'Majority', explain: 'The answer most lanes agree on.' },
  { id: 'logprob', label: 'Log-probability', explain: 'The lane whose tokens the model found likeliest on average.' },
];

function numberField(name: NumberName, value: number, change: (value: number) => void) {
  const { label, min, max, step, explain } = BOUNDS[name];
  const complaint = complaintAbout(name, value);
  const about = `about-${name}`;
  return html`
    <label class="field" title=${explain}>
      <span class="label">${label}</span>
      <input
        name=${name}
        type="number"
        inputmode=${step === 1 ? 'numeric' : 'decimal'}
        min=${min}
        max=${max}
        step=${step === 1 ? 1 : 'any'}
        .value=${Number.isNaN(value) ? '' : String(value)}
        aria-invalid=${complaint ? 'true' : 'false'}
        aria-describedby=${about}
        @change=${(event: Event) => change((event.target as HTMLInputElement).valueAsNumber)}
      />
      <span id=${about} class=${complaint ? 'complaint' : 'visually-hidden'}>${complaint ?? explain}</span>
    </label>
  `;
}

/**
 * The fields as a template.
 * @param verifiable whether answers can be checked; without that the verifier is no choice.
 */
export function settingsFields(settings: Settings, verifiable: boolean, change: (patch: Partial<Settings>) => void) {
  const chosen = selectorFor(settings, verifiable);
  return html`
    <fieldset class="settings">
      <legend class="visually-hidden">Settings</legend>
      ${numberField('lanes', settings.lanes, (lanes) => change({ lanes }))}
      ${numberField('temperature', settings.temperature, (temperature) => change({ temperature }))}
      ${numberField('thinking', settings.thinking, (thinking) => change({ thinking }))}
      <label class="field" title=${SELECTORS.find(({ id }) => id === chosen)?.explain ?? ''}>
        <span class="label">Choose by</span>
        <select
          name="select"
          @change=${(event: Event) => change({ select: (event.target as HTMLSelectElement).value as Selector })}
        >
          ${SELECTORS.map(({ id, label }) =>
            id === 'verifier' && !verifiable
              ? nothing
              : html`<option value=${id} ?selected=${id === chosen}>${label}</option>`,
          )}
        </select>
      </label>
      <label class="field check" title="Stops lanes that can no longer change the choice. Off: every lane thinks to its end.">
        <input
          name="earlyStop"
          type="checkbox"
          .checked=${settings.earlyStop}
          @change=${(event: Event) => change({ earlyStop: (event.target as HTMLInputElement).checked })}
        />
        <span>Stop lanes early</span>
      </label>
    </fieldset>
  `;
}
