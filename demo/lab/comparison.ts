/** Several models in one plot, from what this browser keeps. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from '../elements/light-element.ts';
import { pictureOf, save } from './results.ts';

/** Costs as counted and weighed as in the paper: the same for all devices. */
const ACCOUNT = 'measured-paper';

@customElement('rk-lab-comparison')
export class LabComparison extends LightElement {
  /** Plots by file name. */
  @property({ attribute: false }) files: ReadonlyMap<string, string> | null = null;

  override render() {
    const plots = [...(this.files ?? [])].filter(([name]) => name.endsWith(`-${ACCOUNT}.svg`));
    // Of several groups the one of all problems comes last.
    const [name, svg] = plots.at(-1) ?? [];
    if (name === undefined || svg === undefined) return nothing;
    return html`
      <section class="lab-results" aria-labelledby="lab-comparison-title">
        <div class="section-head"><h2 id="lab-comparison-title">Models compared</h2></div>
        <div class="lab-scroll lab-plot" role="region" aria-label="Plot of several models" tabindex="0">${pictureOf(svg)}</div>
        <div class="lab-files" role="group" aria-label="Files of the comparison">
          <button type="button" class="button" @click=${() => save(`reckon-${name}`, svg)}>
            <span class="visually-hidden">Download </span>This plot (SVG)
          </button>
        </div>
        <p class="hint">Each line has the points of one model that none of its others beats; the dashed steps are the best of all.</p>
      </section>
    `;
  }
}
