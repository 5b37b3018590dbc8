/** What came out: a plot, its points as a table, and all of it as files. */
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { Estimate } from '../../src/lab/index.ts';
import { LightElement } from '../elements/light-element.ts';
import { count, si } from '../format.ts';
import { counted } from './progress.ts';
import type { Results } from './state.ts';
import { accountOf, type Intensity, plotName, type Row, rowsOf, share, type ViewId, viewsOf } from './views.ts';

const TYPES: Readonly<Record<string, string>> = {
  csv: 'text/csv',
  json: 'application/json',
  svg: 'image/svg+xml',
};

/** The picture as an element: read as XML, where nothing of it can run. */
export function pictureOf(svg: string): Node | null {
  const { documentElement } = new DOMParser().parseFromString(svg, 'image/svg+xml');
  return documentElement.localName === 'svg' ? document.importNode(documentElement, true) : null;
}

export function save(name: string, text: string): void {
  const type = TYPES[name.split('.').at(-1) ?? ''] ?? 'text/plain';
  const url = URL.createObjectURL(new Blob([text], { type: `${type};charset=utf-8` }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name;
  link.click();
  // Some browsers read it only after this turn.
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

function accuracy({ mean, low, high }: Estimate) {
  return html`<td>${share(mean)} <span class="interval">${share(low)}–${share(high)}</span></td>`;
}

function row({ point, eflops, best }: Row, several: boolean) {
  const { thinking, kv, n, tokens, accuracy: by } = point;
  return html`<tr class=${best ? 'best' : ''}>
    <th scope="row">${thinking}</th>
    ${several ? html`<td>${kv}</td>` : nothing}
    <td>${n}</td>
    ${accuracy(by.coverage)} ${accuracy(by.majority)} ${accuracy(by.logprob)}
    <td>${count(tokens.mean)}</td>
    <td>${si(eflops, '')}</td>
    <td>${best ? html`<span aria-hidden="true">●</span><span class="visually-hidden">yes</span>` : nothing}</td>
  </tr>`;
}

function segments<T extends string>(
  name: string,
  label: string,
  choices: readonly { id: T; label: string }[],
  chosen: T,
  choose: (id: T) => void,
) {
  return html`<div class="segments small" role="radiogroup" aria-label=${label}>
    ${choices.map(
      (choice) => html`<label>
        <input type="radio" name=${name} value=${choice.id} .checked=${choice.id === chosen} @change=${() => choose(choice.id)} />
        <span>${choice.label}</span>
      </label>`,
    )}
  </div>`;
}

@customElement('rk-lab-results')
export class LabResults extends LightElement {
  @property({ attribute: false }) results: Results | null = null;
  @state() private view: ViewId = 'measured';
  @state() private intensity: Intensity = 'paper';

  #downloads({ files, report }: Results, plot: string) {
    const prefix = `reckon-${(report.groups.at(-1) ?? '').replaceAll('/', '-')}-`;
    const button = (label: string, file: string, name: string) => {
      const text = files.get(file);
      if (text === undefined) return nothing;
      return html`<button type="button" class="button" data-file=${file} @click=${() => save(name, text)}>
        <span class="visually-hidden">Download </span>${label}
      </button>`;
    };
    return html`<div class="lab-files" role="group" aria-label="Files">
      ${button('CSV', 'results.csv', `${prefix}results.csv`)} ${button('JSON', 'results.json', `${prefix}results.json`)}
      ${button('This plot (SVG)', plot, `reckon-${plot}`)}
    </div>`;
  }

  #table(rows: readonly Row[], several: boolean) {
    return html`<div class="lab-scroll" role="region" aria-label="Points" tabindex="0">
      <table class="lab-table num">
        <caption class="visually-hidden">
          Accuracy and cost of Best-of-N, per problem, with 95 % intervals
        </caption>
        <thead>
          <tr>
            <th scope="col">Limit</th>
            ${several ? html`<th scope="col">Attention</th>` : nothing}
            <th scope="col">N</th>
            <th scope="col" title="Some chain of N is right: what a perfect verifier would get">Coverage</th>
            <th scope="col">Majority</th>
            <th scope="col" title="The chain whose tokens the model found likeliest">Log-prob.</th>
            <th scope="col">Tokens</th>
            <th scope="col">eFLOPs</th>
            <th scope="col" title="No other point covers as much for less">Pareto</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map((one) => row(one, several))}
        </tbody>
      </table>
    </div>`;
  }

  override render() {
    const { results, intensity } = this;
    if (!results) return nothing;
    const { report, files } = results;
    const views = viewsOf(report);
    // The view of an experiment before may be none of this one's.
    const view = views.some(({ id }) => id === this.view) ? this.view : 'measured';
    const plot = plotName(report, view, intensity);
    const account = accountOf(report, view, intensity);
    const own = report.setting.intensity;
    const problems = report.points[0]?.problems ?? 0;
    const missing = report.experiment.problems - problems;
    const choosesI = own !== null && (view === 'measured' || view === 'formula');
    return html`
      <section class="lab-results" aria-labelledby="lab-results-title">
        <div class="section-head">
          <h2 id="lab-results-title">Results</h2>
          <p data-part="so-far">${missing > 0 ? `So far: ${problems} of ${report.experiment.problems} problems` : counted(problems, 'problem')}</p>
        </div>
        <div class="lab-switches">
          ${segments('view', 'Horizontal axis', views, view, (id) => {
            this.view = id;
          })}
          ${
            choosesI
              ? segments<Intensity>(
                  'intensity',
                  'FLOPs that a byte weighs',
                  [
                    { id: 'paper', label: "Paper's I, 562.5" },
                    { id: 'device', label: `This device's I, ${own.toPrecision(3)}` },
                  ],
                  intensity,
                  (id) => {
                    this.intensity = id;
                  },
                )
              : nothing
          }
        </div>
        <div class="lab-scroll lab-plot" role="region" aria-label="Plot" tabindex="0">${pictureOf(files.get(plot) ?? '')}</div>
        ${this.#downloads(results, plot)} ${this.#table(rowsOf(report, account), report.experiment.kv.length > 1)}
        <p class="hint">
          Means per problem, with 95 % intervals over problems. eFLOPs in the table:
          ${report.accounts.find(({ id }) => id === account)?.label ?? ''}.
        </p>
      </section>
    `;
  }
}
