/** What each kind of work costs over time, stacked: compute or memory traffic, as rates or totals. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import uPlot from 'uplot';
import { COST_CLASSES } from '../../src/ledger/cost.ts';
import { percent, si } from '../format.ts';
import { type CostSample, type Measure, rates, STACK, stacked } from '../history.ts';
import type { Theme } from '../theme.ts';
import { CLASSES } from './cost-classes.ts';
import { LightElement } from './light-element.ts';

type Mode = 'rate' | 'total';

const HEIGHT = 170;
const MODES: readonly { id: Mode; label: string }[] = [
  { id: 'rate', label: 'Per second' },
  { id: 'total', label: 'Total' },
];
const MEASURES: readonly { id: Measure; label: string }[] = [
  { id: 'flops', label: 'Compute' },
  { id: 'bytes', label: 'Memory' },
];
const UNITS = { flops: 'FLOP', bytes: 'B' } as const;

@customElement('rk-chart')
export class CostChart extends LightElement {
  @property({ attribute: false }) history: readonly CostSample[] = [];
  @property({ attribute: false }) theme: Theme = 'light';
  @state() private mode: Mode = 'rate';
  @state() private measure: Measure = 'flops';
  /** Index of the moment under the cursor. */
  @state() private pointed: number | null = null;
  @query('.plot') private readonly host!: HTMLElement | null;

  #plot: uPlot | null = null;
  readonly #resized = new ResizeObserver(() => {
    if (this.#plot && this.host) this.#plot.setSize({ width: this.host.clientWidth, height: HEIGHT });
  });

  override disconnectedCallback(): void {
    this.#resized.disconnect();
    this.#destroy();
    super.disconnectedCallback();
  }

  #destroy(): void {
    this.#plot?.destroy();
    this.#plot = null;
  }

  #points(): readonly CostSample[] {
    return this.mode === 'rate' ? rates(this.history) : this.history;
  }

  /** A lost GPU takes the canvas with it; a fresh one shows what it showed. */
  readonly #onLost = () => {
    this.#destroy();
    this.requestUpdate();
  };

  #data(): uPlot.AlignedData {
    const points = this.#points();
    return [points.map((p) => p.seconds), ...stacked(points, this.measure)];
  }

  #create(host: HTMLElement): uPlot {
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `11px ${style.fontFamily}`;
    return new uPlot(
      {
        width: host.clientWidth,
        height: HEIGHT,
        scales: {
          x: { time: false },
          // From zero: what looks twice as high is twice as much.
          y: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
        },
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        hooks: {
          setCursor: [
            (plot) => {
              this.pointed = plot.cursor.idx ?? null;
            },
          ],
        },
        series: [
          {},
          ...STACK.map((name) => {
            const fill = colour(`--c-${name}`);
            return { stroke: fill, fill, width: 1, points: { show: false } };
          }),
        ],
        axes: [
          {
            stroke: colour('--muted'),
            font,
            size: 28,
            grid: { show: false },
            ticks: { show: false },
            values: (_, splits) => splits.map((s) => `${s} s`),
          },
          {
            size: 50,
            stroke: colour('--muted'),
            font,
            grid: { stroke: colour('--line'), width: 1 },
            ticks: { show: false },
            // The unit is in the line below; an empty chart has no scale to tell of.
            values: (plot, splits) =>
              plot.data[0].length === 0
                ? []
                : splits.map((value) => (value === 0 ? '0' : si(value, '').replace(/\.0+(?=\D|$)/, ''))),
          },
        ],
      },
      this.#data(),
      host,
    );
  }

  protected override updated(changed: PropertyValues): void {
    const { host } = this;
    if (!host) return;
    if (!this.#plot || changed.has('theme') || changed.has('mode') || changed.has('measure')) {
      this.#destroy();
      this.#plot = this.#create(host);
      this.#plot.ctx.canvas.addEventListener('contextlost', this.#onLost, { once: true });
      this.#resized.observe(host);
      return;
    }
    if (changed.has('history')) this.#plot.setData(this.#data());
  }

  /** The moment under the cursor, else the last. */
  #legend() {
    const points = this.#points();
    const point = points[this.pointed ?? points.length - 1] ?? points.at(-1);
    if (!point) return html`<p class="chart-legend num" aria-hidden="true">&nbsp;</p>`;
    const { measure } = this;
    const per = this.mode === 'rate' ? '/s' : '';
    const biggest = COST_CLASSES.filter((name) => point.classes[name][measure] >= 0.02 * point[measure]);
    return html`
      <p class="chart-legend num" aria-hidden="true">
        <span>${si(point[measure], UNITS[measure] + per)}${this.pointed === null ? nothing : ` at ${point.seconds.toFixed(1)} s`}:</span>
        ${biggest.map(
          (name) =>
            html`<span class="key"><span class="c-${name}"></span>${CLASSES[name].label} ${percent(point.classes[name][measure], point[measure])}</span>`,
        )}
      </p>
    `;
  }

  #switch<T extends string>(name: string, legend: string, options: readonly { id: T; label: string }[], chosen: T) {
    return html`
      <fieldset class="segments small">
        <legend class="visually-hidden">${legend}</legend>
        ${options.map(
          ({ id, label }) => html`
            <label>
              <input type="radio" name=${name} value=${id} .checked=${id === chosen} @change=${this.#onSwitch} />
              <span>${label}</span>
            </label>
          `,
        )}
      </fieldset>
    `;
  }

  readonly #onSwitch = (event: Event) => {
    const { value } = event.target as HTMLInputElement;
    this.measure = MEASURES.find(({ id }) => id === value)?.id ?? this.measure;
    this.mode = MODES.find(({ id }) => id === value)?.id ?? this.mode;
  };

  override render() {
    const last = this.history.at(-1);
    const summary = last
      ? `Cost by kind of work over ${last.seconds.toFixed(1)} seconds, reaching ${si(last.flops, 'FLOP')} and ${si(last.bytes, 'B')}; the table below has the numbers.`
      : 'No costs yet.';
    return html`
      <div class="chart-head">
        ${this.#switch('chart-measure', 'Chart of', MEASURES, this.measure)}
        ${this.#switch('chart-mode', 'Chart shows', MODES, this.mode)}
      </div>
      <div class="plot" role="img" aria-label=${summary}></div>
      ${this.#legend()}
    `;
  }
}
