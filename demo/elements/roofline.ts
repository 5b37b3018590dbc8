/** The roofline plot: FLOP per byte across, FLOP per second up, both logarithmic; the device's roof and the run below it. */
import { scaleLog } from 'd3-scale';
import { html, nothing, svg } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { DeviceCalibration } from '../../src/cost/calibrate.ts';
import { percent, si } from '../format.ts';
import { attainable, type ClassPoint, classPoints, rooflineWords, runPoint } from '../roofline.ts';
import type { CostView } from '../state.ts';
import { CLASSES } from './cost-classes.ts';
import { LightElement } from './light-element.ts';

const WIDTH = 300;
const HEIGHT = 210;
const MARGIN = { top: 8, right: 8, bottom: 34, left: 52 };
const LEFT = MARGIN.left;
const RIGHT = WIDTH - MARGIN.right;
const TOP = MARGIN.top;
const BOTTOM = HEIGHT - MARGIN.bottom;

/** The powers of ten around `values`, with room to either side. */
function decades(values: readonly number[]): [number, number] {
  const logs = values.map(Math.log10);
  return [10 ** Math.floor(Math.min(...logs) - 0.15), 10 ** Math.ceil(Math.max(...logs) + 0.15)];
}

/** Every power of ten, or every second where there are many. */
function ticks([low, high]: [number, number]): number[] {
  const from = Math.round(Math.log10(low));
  const count = Math.round(Math.log10(high)) - from;
  const step = count > 6 ? 2 : 1;
  return Array.from({ length: Math.floor(count / step) + 1 }, (_, i) => 10 ** (from + i * step));
}

const short = (value: number, unit: string) =>
  value < 1 ? `${Number(value.toPrecision(1))}${unit}` : si(value, unit).replace(/\.0+(?=\D|$)/, '');

@customElement('rk-roofline')
export class Roofline extends LightElement {
  @property({ attribute: false }) cost: CostView | null = null;
  @property({ attribute: false }) calibration: DeviceCalibration | null = null;

  override render() {
    const { cost, calibration: roof } = this;
    const run = cost ? runPoint(cost.total, cost.seconds) : null;
    const kinds = cost && roof ? classPoints(cost.total, roof) : [];
    const words = rooflineWords(run, roof);
    return html`
      ${run || roof ? this.#plot(run, kinds, words) : nothing}
      <p class="roof-words">${words}</p>
      ${
        kinds.length > 0
          ? html`<p class="chart-legend" aria-hidden="true">
              <span class="key"><span class="ring"></span>the run</span>
              ${kinds.map(({ name }) => html`<span class="key"><span class="c-${name}"></span>${CLASSES[name].label}</span>`)}
            </p>`
          : nothing
      }
    `;
  }

  #plot(run: ReturnType<typeof runPoint>, kinds: readonly ClassPoint[], words: string) {
    const roof = this.calibration;
    const ridge = roof ? roof.flops32 / roof.bandwidth : null;
    const points = run ? [run, ...kinds] : kinds;
    const xs = decades([...points.map((p) => p.intensity), ...(ridge ? [ridge / 3, ridge * 3] : [])]);
    const ys = decades([...points.map((p) => p.rate), ...(roof ? [roof.flops32, roof.flops32 / 30] : [])]);
    const x = scaleLog(xs, [LEFT, RIGHT]);
    const y = scaleLog(ys, [BOTTOM, TOP]);
    const held = (value: number) => Math.min(BOTTOM, Math.max(TOP, y(value)));
    const xTicks = ticks(xs);
    const yTicks = ticks(ys);
    // Left of where the slope enters the plot there is nothing to draw.
    const start = roof ? Math.max(xs[0], ys[0] / roof.bandwidth) : 0;
    return html`
      <svg class="roofline" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="Roofline plot. ${words}">
        ${yTicks.map(
          (tick) => svg`<line class="grid" x1=${LEFT} x2=${RIGHT} y1=${y(tick)} y2=${y(tick)}></line>
            <text class="tick" x=${LEFT - 5} y=${y(tick) + 3} text-anchor="end">${short(tick, 'F/s')}</text>`,
        )}
        ${xTicks.map(
          (tick) => svg`<line class="grid" x1=${x(tick)} x2=${x(tick)} y1=${TOP} y2=${BOTTOM}></line>
            <text class="tick" x=${x(tick)} y=${BOTTOM + 13} text-anchor="middle">${short(tick, '')}</text>`,
        )}
        <text class="tick" x=${(LEFT + RIGHT) / 2} y=${HEIGHT - 4} text-anchor="middle">FLOP per byte</text>
        ${
          roof && ridge
            ? svg`<polyline class="roof" points="${x(start)},${held(attainable(roof, start))} ${x(ridge)},${held(roof.flops32)} ${RIGHT},${held(roof.flops32)}"></polyline>`
            : nothing
        }
        ${
          roof && run
            ? svg`<line class="drop" x1=${x(run.intensity)} x2=${x(run.intensity)} y1=${y(run.rate)} y2=${held(attainable(roof, run.intensity))}></line>`
            : nothing
        }
        ${kinds.map(
          ({
            name,
            intensity,
            rate,
            share,
          }) => svg`<circle class="s-${name}" cx=${x(intensity)} cy=${held(rate)} r=${3 + 5 * Math.sqrt(share)}>
            <title>${CLASSES[name].label}: ${intensity.toPrecision(3)} FLOP per byte, at most ${si(rate, 'FLOP/s')}; ${percent(share, 1)} of the least time</title>
          </circle>`,
        )}
        ${
          run
            ? svg`<circle class="run" cx=${x(run.intensity)} cy=${y(run.rate)} r="5.5">
                <title>The run: ${run.intensity.toPrecision(3)} FLOP per byte, ${si(run.rate, 'FLOP/s')}</title>
              </circle>`
            : nothing
        }
      </svg>
    `;
  }
}
