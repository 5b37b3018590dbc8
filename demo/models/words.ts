/** What the chooser says of sizes, downloads and whether something will run. */
import type { CatalogueModel, FitReport } from '../../src/catalogue/index.ts';
import { bytesText } from '../../src/catalogue/words.ts';
import type { DownloadProgress, StorageSpace, StoredModel } from '../../src/checkpoint/store/types.ts';

/** "40 s left", "12 min left", "about 3 h left": no more exact than it is. */
export function timeLeft(seconds: number | null): string {
  if (seconds === null || !Number.isFinite(seconds)) return '';
  if (seconds < 1) return 'done in a moment';
  if (seconds < 60) return `${Math.ceil(seconds)} s left`;
  if (seconds < 3600) return `${Math.ceil(seconds / 60)} min left`;
  return `about ${(seconds / 3600).toFixed(seconds < 36_000 ? 1 : 0)} h left`;
}

const PHASES: Readonly<Record<DownloadProgress['phase'], string>> = {
  listing: 'Asking what there is to fetch',
  waiting: 'Another page is fetching this model; waiting for it',
  downloading: 'Fetching',
  verifying: 'Checking what has come',
  done: 'All here',
};

/** One line about a download: "Fetching · 120 MB of 351 MB · 8.1 MB/s · 28 s left". */
export function progressWords({
  phase,
  loaded,
  total,
  bytesPerSecond,
  secondsLeft,
  trouble,
}: DownloadProgress): string {
  const parts = [PHASES[phase]];
  if (total > 0) parts.push(`${bytesText(loaded)} of ${bytesText(total)}`);
  if (phase === 'downloading') {
    if (bytesPerSecond > 0) parts.push(`${bytesText(bytesPerSecond)}/s`);
    const left = timeLeft(secondsLeft);
    if (left !== '') parts.push(left);
  }
  if (trouble !== null) parts.push(`trying again: ${trouble}`);
  return parts.join(' · ');
}

/** Whether a model runs, in as few words as a list has room for. */
export interface FitWords {
  readonly verdict: 'runs' | 'too-large' | 'other';
  readonly short: string;
}

export function fitWords(fit: FitReport | null): FitWords {
  if (fit === null) return { verdict: 'other', short: 'through web-llm' };
  if (!fit.fits) return { verdict: 'too-large', short: 'too large here' };
  const { one } = fit.tokensPerSecond ?? { one: 0 };
  return { verdict: 'runs', short: one > 0 ? `runs here, about ${rate(one)} tokens/s` : 'runs here' };
}

/** The reasons behind it, and what would run instead. */
export function fitReasons(fit: FitReport | null, suggestions: readonly string[], entry: CatalogueModel): string {
  if (fit === null) {
    const memory = entry.webLlm ? ` It takes about ${bytesText(entry.webLlm.memoryMB * 1e6)} of GPU memory.` : '';
    return `Reckon's own decoder does not know this architecture; web-llm runs it, one lane at a time and without costs.${memory}`;
  }
  const { all } = fit.tokensPerSecond ?? { all: 0 };
  const together = all > 0 ? [`All lanes together: about ${rate(all)} tokens/s.`] : [];
  return [...fit.reasons, ...together, ...suggestions, ...fit.assumed].join(' ');
}

function rate(perSecond: number): string {
  return perSecond >= 10 ? perSecond.toFixed(0) : perSecond.toPrecision(2);
}

/** "on this device", "a third is here": how much of a model has come. */
export function storedWords(stored: StoredModel | null): string {
  if (stored === null) return '';
  if (stored.complete) return `on this device, ${bytesText(stored.bytes)}`;
  const of = stored.total === null ? '' : ` of ${bytesText(stored.total)}`;
  return `${bytesText(stored.bytes)}${of} here`;
}

export function spaceWords({ free, models, persistent }: StorageSpace): string {
  const room = free === null ? '' : `; the browser allows ${bytesText(free)} more`;
  const kept = persistent ? 'They stay until you delete them.' : 'The browser may clear them when space runs short.';
  return models === 0 ? `No model is kept here yet${room}.` : `Models take ${bytesText(models)} here${room}. ${kept}`;
}
