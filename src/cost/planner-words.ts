/** A plan in words, and the words for there being none. */
import { ReckonError } from '../errors.ts';
import { attentionText } from './attention.ts';
import { type Candidate, Row } from './planner-row.ts';
import type { PlanAdvice, PlannedRun, PlannerRequest } from './planner-types.ts';
import { weightBytes } from './shapes.ts';

const percent = (value: number) => `${(100 * value).toFixed(1)} %`;

function runText({ model, trials, tokens, attention }: PlannedRun): string {
  return `${model}, ${trials} ${trials === 1 ? 'trial' : 'trials'} of up to ${tokens} tokens, ${attentionText(attention)}`;
}

/** Why this plan, what binds it, what comes next and what the expectation stands on. */
export function reasonOf(
  { row, tokens }: Candidate,
  best: PlannedRun,
  runnerUp: PlannedRun | null,
  bound: PlanAdvice['bound'],
): string {
  const { selection } = row.request as Required<PlannerRequest>;
  const used = row.used(tokens);
  const binds =
    bound === 'nothing'
      ? 'Longer trials would gain nothing that shows.'
      : bound === 'context'
        ? `The model's context of ${row.model.shape.maxContext} tokens ends it.`
        : `${bound === 'memory' ? 'Memory' : `The budget of ${bound}`} binds: ${percent(used.get(bound) ?? 0)} of it is used.`;
  const how = selection === 'verifier' ? 'with a verifier to choose' : 'by majority';
  const one = best.trials > 1 ? `; one trial alone ${percent(best.singleAccuracy)}` : '';
  const first = `${runText(best)}: ${percent(best.accuracy)} expected ${how}${one}. ${binds}`;
  const evidence = row.model.evidence ? ` Stands on: ${row.model.evidence}.` : '';
  if (!runnerUp) return `${first} Nothing else fits.${evidence}`;
  const alone = runnerUp.trials > 1 ? `, one trial alone ${percent(runnerUp.singleAccuracy)}` : '';
  const verdict =
    runnerUp.accuracy === best.accuracy
      ? 'as accurate, for more of the budget'
      : `${percent(runnerUp.accuracy)}${alone}`;
  return `${first} Next best: ${runText(runnerUp)}: ${verdict}.${evidence}`;
}

/** The error for a budget or device that admits no plan: tells the least there is. */
export function nothingFits(request: Required<PlannerRequest>): ReckonError {
  const { models, attentions, trials, prompt, minTokens, budget, device } = request;
  const rows = models
    .filter(({ shape }) => shape.maxContext - prompt >= minTokens)
    .flatMap((model) => attentions.map((attention) => new Row(model, Math.min(...trials), attention, request)));
  const [least] = rows
    .map((row) => ({ row, part: Math.max(...row.used(minTokens).values()) }))
    .sort((a, b) => a.part - b.part);
  if (!least) {
    return new ReckonError('over-capacity', `A prompt of ${prompt} tokens leaves no model room for an answer.`, {
      hint: `Shorten it: ${models.map(({ shape }) => `${shape.name} holds ${shape.maxContext}`).join(', ')}.`,
      details: { prompt, minTokens },
    });
  }
  const { row } = least;
  const run = row.run(minTokens);
  const over = [...row.used(minTokens)].filter(([, part]) => part > 1);
  const needs = over.map(([name]) => {
    if (name === 'memory') {
      const bytes = run.kvBytes + weightBytes(row.model.shape, row.model.precision.weights);
      return `${bytes.toPrecision(3)} bytes of memory, ${device.memoryBytes.toPrecision(3)} are there`;
    }
    return `${run.spending[name].toPrecision(3)} ${name}, ${(budget[name] ?? 0).toPrecision(3)} are allowed`;
  });
  return new ReckonError('over-capacity', 'No plan fits the budget and the device.', {
    hint: `The least, ${runText(run)}, needs ${needs.join('; and ')}.`,
    details: { least: { ...run.spending, model: run.model, trials: run.trials, tokensPerTrial: run.tokens } },
  });
}
