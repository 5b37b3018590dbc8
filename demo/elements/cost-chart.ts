/** FLOP and bytes over time, as rates or totals. */
import { html, nothing, type PropertyValues } from 'lit';
import { customElement, property, query, state } from 'lit/decorators.js';
import uPlot from 'uplot';
import { NONE, si } from '../format.ts';
import { type CostSample, rates } from '../history.ts';
import type { Theme } from '../theme.ts';
import { LightElement } from './light-element.ts';

type Mode = 'rate' | 'total';
const HEIGHT = 170;
const MODES: readonly { id: Mode; label: string }[] = [
  { id: 'rate', label: 'Per second' },
  { id: 'total', label: 'Total' },
];

@customElement('rk-chart')
export class CostChart extends LightElement {
  @property({ attribute: false }) history: readonly CostSample[] = [];
  @property({ attribute: false }) theme: Theme = 'light';
  @state() private mode: Mode = 'rate';
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

  #points(): readonly { seconds: number; flops: number; bytes: number }[] {
    return this.mode === 'rate' ? rates(this.history) : this.history;
  }

  /** A lost GPU takes the canvas with it; a fresh one shows what it showed. */
  readonly #onLost = () => {
    this.#destroy();
    this.requestUpdate();
  };

  #data(): uPlot.AlignedData {
    const points = this.#points();
    return [points.map((p) => p.seconds), points.map((p) => p.flops), points.map((p) => p.bytes)];
  }

  #create(host: HTMLElement): uPlot {
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const font = `11px ${style.fontFamily}`;
    const axis = (scale: string, side: 1 | 3, stroke: string, unit: string): uPlot.Axis => ({
      scale,
      side,
      size: 62,
      stroke,
      font,
      grid: { show: side === 3, stroke: colour('--line'), width: 1 },
      ticks: { show: false },
      // An empty chart has no scale to tell of.
      values: (plot, splits) =>
        plot.data[0].length === 0
          ? []
          : splits.map((value) => (value === 0 ? '0' : si(value, unit).replace(/\.0+(?= )/, ''))),
    });
    return new uPlot(
      {
        width: host.clientWidth,
        height: HEIGHT,
        scales: {
          x: { time: false },
          // Both start at zero: what looks twice as high is twice as much.
          flops: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
          bytes: { range: (_, __, max) => [0, Math.max(1, max * 1.05)] },
        },
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        hooks: {
          setCursor: [
            (plot) => {
              this.pointed = plot.cursor.idx ?? null;
            },
          ],
        },
        series: [
          {},
          { scale: 'flops', stroke: colour('--flops'), width: 1.75, points: { show: false } },
          { scale: 'bytes', stroke: colour('--bytes'), width: 1.75, dash: [5, 3], points: { show: false } },
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
          axis('flops', 3, colour('--flops'), 'F'),
          axis('bytes', 1, colour('--bytes'), 'B'),
        ],
      },
      this.#data(),
      host,
    );
  }

  protected override updated(changed: PropertyValues): void {
    const { host } = this;
    if (!host) return;
    if (!this.#plot || changed.has('theme') || changed.has('mode')) {
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
    const per = this.mode === 'rate' ? '/s' : '';
    return html`
      <p class="chart-legend num" aria-hidden="true">
        <span class="key"><span class="b-flops"></span>Compute ${point ? si(point.flops, `FLOP${per}`) : NONE}</span>
        <span class="key"><span class="b-bytes"></span>Memory ${point ? si(point.bytes, `B${per}`) : NONE}</span>
        ${this.pointed !== null && point ? html`<span>at ${point.seconds.toFixed(1)} s</span>` : nothing}
      </p>
    `;
  }

  override render() {
    const last = this.history.at(-1);
    const summary = last
      ? `Cost over ${last.seconds.toFixed(1)} seconds, reaching ${si(last.flops, 'FLOP')} and ${si(last.bytes, 'B')}.`
      : 'No costs yet.';
    return html`
      <div class="chart-head">
        <h3>Over time</h3>
        <fieldset class="segments small">
          <legend class="visually-hidden">Chart shows</legend>
          ${MODES.map(
            ({ id, label }) => html`
              <label>
                <input
                  type="radio"
                  name="chart-mode"
                  .checked=${id === this.mode}
                  @change=${() => {
                    this.mode = id;
                  }}
                />
                <span>${label}</span>
              </label>
            `,
          )}
        </fieldset>
      </div>
      <div class="plot" role="img" aria-label=${summary}></div>
      ${this.#legend()}
    `;
  }
}
