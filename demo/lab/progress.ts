/** How far the experiment is, as a bar and a line of figures. */
import { html, nothing } from 'lit';
import { count, duration, percent, si } from '../format.ts';
import type { LabView } from './state.ts';

/** A time nobody knows exactly: whole seconds, or as `duration` writes minutes. */
export function roughly(seconds: number): string {
  return seconds < 59.5 ? `${Math.max(1, Math.round(seconds))} s` : duration(seconds);
}

function loadingWords({ loading }: LabView): string {
  if (!loading) return 'Starting the engine…';
  const bytes = loading.total > 0 ? ` ${si(loading.loaded, 'B')} of ${si(loading.total, 'B')}` : '';
  return loading.phase === 'weights' ? `Loading weights${bytes}…` : 'Preparing the model…';
}

/** "1 run", "2 runs". */
export function counted(number: number, thing: string): string {
  return `${count(number)} ${thing}${number === 1 ? '' : 's'}`;
}

export function progressBar(view: LabView) {
  const { phase, progress } = view;
  if (phase === 'idle' || (phase === 'failed' && !progress)) return nothing;
  if (!progress) {
    const words = phase === 'pausing' ? 'Pausing…' : phase === 'paused' ? 'Paused.' : loadingWords(view);
    return html`<div class="lab-progress" data-phase=${phase}>
      ${phase === 'paused' ? nothing : html`<progress aria-label="Loading"></progress>`}
      <p>${words}</p>
    </div>`;
  }
  const { unitsDone, unitsTotal, samplesDone, samplesRight, tokens, seconds, secondsLeft } = progress;
  const facts = [
    `${unitsDone} of ${counted(unitsTotal, 'run')}`,
    samplesDone > 0 ? `${percent(samplesRight, samplesDone)} of ${counted(samplesDone, 'chain')} right` : '',
    tokens > 0 && seconds > 0 ? `${count(tokens / seconds)} tokens/s` : '',
  ].filter((fact) => fact !== '');
  const state =
    phase === 'finished'
      ? 'Finished.'
      : phase === 'paused'
        ? 'Paused; what is done is kept.'
        : phase === 'failed'
          ? 'Ended; what is done is kept.'
          : secondsLeft === null
            ? 'Working out the time left…'
            : `About ${roughly(secondsLeft)} left.`;
  return html`<div class="lab-progress" data-phase=${phase}>
    <progress max=${unitsTotal} .value=${unitsDone} aria-label="Runs done"></progress>
    <p class="num"><strong>${state}</strong> ${facts.join(' · ')}</p>
  </div>`;
}
