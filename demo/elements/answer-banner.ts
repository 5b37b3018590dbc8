/** The answer, from which lane, and why that one. */
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { IDLE, isActive, type RunView } from '../state.ts';
import { LightElement } from './light-element.ts';

/** Why there is no answer at the end of a run. */
const WITHOUT: Partial<Record<RunView['phase'], string>> = {
  finished: 'No lane came to an answer. A longer thinking limit or another run may help.',
  stopped: 'Stopped before a lane was chosen. What was written so far is kept below.',
  failed: 'The run failed before a lane was chosen. What was written so far is kept below.',
};

@customElement('rk-answer')
export class AnswerBanner extends LightElement {
  @property({ attribute: false }) run: RunView = IDLE;

  override render() {
    const { choice, lanes, answer, phase } = this.run;
    const lane = choice ? lanes[choice.lane] : undefined;
    if (!choice || !lane) {
      const words = isActive(this.run) ? undefined : (answer?.reason ?? WITHOUT[phase]);
      return words ? html`<section class="banner none" aria-label="Answer"><p>${words}</p></section>` : nothing;
    }
    const verdict = lane.verdict ? (lane.verdict.correct ? 'right' : 'wrong') : 'none';
    return html`
      <section class="banner" data-verdict=${verdict} aria-label="Answer">
        <p class="banner-answer">${answer?.text || lane.answer || '(an empty answer)'}</p>
        <p class="banner-reason">
          ${
            verdict === 'none'
              ? nothing
              : html`<span class="badge ${verdict}">
                  <span aria-hidden="true">${verdict === 'right' ? '✓' : '✗'}</span> ${verdict}
                </span>`
          }
          <span>From lane ${choice.lane + 1}. ${choice.reason}</span>
        </p>
      </section>
    `;
  }
}
