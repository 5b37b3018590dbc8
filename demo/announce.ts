/** What a screen reader is told of a run: verdicts, early stops, the choice and the end; never single tokens. */
import type { LaneView, RunView } from './state.ts';

function laneNews(before: LaneView | undefined, after: LaneView): string | null {
  if (before === after) return null;
  const name = `Lane ${after.lane + 1}`;
  if (after.pruned !== null && before?.pruned !== after.pruned) return `${name} stopped early: ${after.pruned}`;
  if (after.verdict && before?.verdict?.correct !== after.verdict.correct) {
    return `${name} is ${after.verdict.correct ? 'right' : `wrong: ${after.verdict.reason}`}`;
  }
  return null;
}

const ENDS: Partial<Record<RunView['phase'], string>> = {
  running: 'Running.',
  stopping: 'Stopping.',
  stopped: 'Stopped. What was written so far is kept.',
  finished: 'Finished.',
  failed: 'The run failed.',
};

/** Sentences that are news in `after`, in reading order. */
export function announcements(before: RunView, after: RunView): string[] {
  const news: string[] = [];
  for (const lane of after.lanes) {
    const said = laneNews(before.lanes[lane.lane], lane);
    if (said) news.push(/[.!?]$/.test(said) ? said : `${said}.`);
  }
  if (after.choice && after.choice.lane !== before.choice?.lane) {
    const answer = after.lanes[after.choice.lane]?.answer;
    news.push(`Chosen: lane ${after.choice.lane + 1}${answer ? `, ${answer}` : ''}. ${after.choice.reason}`);
  }
  const end = before.phase === after.phase ? undefined : ENDS[after.phase];
  if (end) news.push(end);
  return news;
}
