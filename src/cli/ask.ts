/** `reckon eval --ask`: what an embedded model knows of thinking. */
import { ReckonError } from '../errors.ts';
import { askQuestions, type Question, type QuestionReport } from '../lab/index.ts';
import { tracedTaskById } from '../tasks/index.ts';
import { loadHere } from './experiments.ts';
import { familyHint, languageHere } from './language.ts';
import type { Options } from './options.ts';

/**
 * Asks, and tells the answers as text or JSON.
 * @throws ReckonError `bad-option` for a model that does not speak the chat format of the embedded family.
 */
export async function askHere(question: Question, options: Options): Promise<string> {
  const source = options.text('model');
  const id = options.text('task');
  if (source === undefined || id === undefined) {
    throw new ReckonError('bad-option', 'There is no --model or no --task.', {
      hint: 'reckon eval --help tells the options.',
    });
  }
  const task = tracedTaskById(id);
  const difficulty = options.number('difficulty', { min: 0, integer: true }) ?? (task.difficulties[0] as number);
  if (!task.difficulties.includes(difficulty)) {
    throw new ReckonError('bad-option', `${task.id} has no difficulty ${difficulty}.`, {
      hint: `It has: ${task.difficulties.join(', ')}.`,
    });
  }
  const problems = options.number('problems', { min: 1, max: 100_000, integer: true }) ?? 100;
  const start = performance.now();
  const { model, device, progress } = await loadHere(source, options);
  const { engine, info } = model;
  try {
    if (!engine || languageHere(model) !== 'family') {
      throw new ReckonError(
        'bad-option',
        `${info.name} is not of the embedded family: it was never taught to answer this.`,
        {
          hint: familyHint(),
        },
      );
    }
    const report = await askQuestions(engine, question, task, difficulty, {
      problems,
      onDone: (done) => progress.update(`${done} of ${problems}`),
    });
    progress.clear();
    const seconds = (performance.now() - start) / 1000;
    const whole = { model: info.name, task: task.id, difficulty, ...report, seconds, device };
    return options.flag('json') ? `${JSON.stringify(whole, null, 2)}\n` : `${describe(report).join('\n')}\n`;
  } finally {
    model.dispose();
  }
}

function describe(report: QuestionReport): string[] {
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  const range = ({ mean, low, high }: QuestionReport['told']) =>
    `${percent(mean)} (${percent(low)} – ${percent(high)}, 95 %, wilson)`;
  switch (report.question) {
    case 'grade':
      return [
        `asked     ${report.asked} steps, ${report.wrong} of them wrong`,
        `told      ${range(report.told)} by the likeliest digit, 7 and more being right`,
        `ranked    ${report.ranked.toFixed(3)} area under the curve of the mean score`,
        `likely    ${report.rankedByLikelihood.toFixed(3)} area under the curve of a step's least likely token, without asking`,
        `scores    ${report.scores.right.toFixed(2)} for right steps, ${report.scores.wrong.toFixed(2)} for wrong ones`,
        `digits    ${percent(report.answers)} of the probability`,
      ];
    case 'level':
      return [
        `asked     ${report.asked} problems`,
        `told      ${range(report.told)}; the commonest level alone: ${percent(report.commonest)}`,
      ];
    case 'wait':
      return [
        `asked     ${report.asked} thoughts that came to a wrong end`,
        `mended    ${range(report.told)} behind "Wait,"`,
        `alone     ${range(report.alone)} as the model goes on by itself`,
      ];
  }
}
