/** From an experiment's results to the accuracy curve that the planner trusts. */
import type { AccuracyModel } from '../cost/accuracy.ts';
import { fitAccuracy, type LabPoint } from '../cost/accuracy-fit.ts';
import { attentionBudget, parseAttention } from '../cost/attention.ts';
import { accuracyPrior, accuracyPriors, priorsOn } from '../cost/priors.ts';
import { ReckonError } from '../errors.ts';
import type { LabReport } from './export.ts';

/**
 * The points of one task in a report: coverage, which is what a verifier reaches, and the majority's. Thinking limits
 * stand for the tokens a trial may have: answers are short beside them.
 * @param task its id, for all difficulties, or with one: "kk/4".
 */
export function accuracyPoints(report: LabReport, task: string): LabPoint[] {
  return report.points
    .filter(({ group }) => group === task || group.split('/')[0] === task)
    .flatMap(({ thinking, kv, n, problems, accuracy }) => {
      const budget = attentionBudget(parseAttention(kv));
      const asked = { tokens: thinking, trials: n, ...(Number.isFinite(budget) ? { kvBudget: budget } : {}) };
      const verified: LabPoint = { ...asked, selection: 'verifier', accuracy: accuracy.coverage.mean, problems };
      const voted: LabPoint = { ...asked, selection: 'majority', accuracy: accuracy.majority.mean, problems };
      // One trial is chosen by nobody.
      return n > 1 ? [verified, voted] : [verified];
    });
}

/**
 * The curve of the report's model on a task, fitted to its points about the prior of that model and task, or, where there
 * is none, of any model on that task.
 * @throws ReckonError `bad-option` where the report has nothing of the task.
 */
export function fitReport(report: LabReport, task: string): AccuracyModel {
  const points = accuracyPoints(report, task);
  if (points.length === 0) {
    throw new ReckonError('bad-option', `The experiment has no finished problem of ${JSON.stringify(task)}.`, {
      hint: `It has: ${report.groups.join(', ') || 'none'}.`,
      details: { task },
    });
  }
  const { model, device } = report.setting;
  const prior = accuracyPrior(model, task) ?? priorsOn(task)[0] ?? accuracyPriors()[0]!;
  const { parameters, rmse } = fitAccuracy(points, prior.parameters);
  const problems = Math.max(...points.map((point) => point.problems));
  return {
    model,
    task,
    parameters,
    origin: 'fitted',
    evidence: `${points.length} points of an experiment of ${problems} problems on ${device}, fitted within ${(100 * rmse).toFixed(1)} points`,
  };
}
