/** Results made up by hand, so that every figure drawn from them can be worked out on paper. */
import { checkExperiment } from '../../src/lab/experiment.ts';
import type { Setting, StoredResults, UnitRecord } from '../../src/lab/store.ts';
import { zeroCosts } from '../../src/ledger/cost.ts';

/** Right of four, by group and problem. */
const RIGHT = { countdown: [0, 2], knights: [4, 4] } as const;

function unit(task: 'countdown' | 'knights', difficulty: number, index: number, thinking: number): UnitRecord {
  const name = `${task}/${difficulty}/${index}`;
  // Of a problem's two units the later one found half its prompt in the cache.
  const read = thinking === 4 ? 1 : 0.5;
  return {
    unit: `${name}/think${thinking}/dense/0`,
    task,
    difficulty,
    index,
    thinking,
    kv: 'dense',
    part: 0,
    prompt: { text: name, tokens: 20, cost: { flops: 5000 * read, bytes: 700 * read } },
    classes: zeroCosts(),
    samples: Array.from({ length: 4 }, (_, i) => ({
      seed: i,
      reasoning: '',
      answer: i < RIGHT[task][index]! ? 'right' : `wrong, "${i}"`,
      correct: i < RIGHT[task][index]!,
      // On average 10 T, and as many thousands of FLOPs.
      tokens: thinking * (i % 2 === 0 ? 8 : 12),
      finish: 'stop',
      logprob: { sum: -1 - i, count: 4 },
      cost: { flops: thinking * (i % 2 === 0 ? 900 : 1100), bytes: thinking * 100 },
    })),
  };
}

/** Two problems each of two tasks, limits 4 and 8, four samples. */
export function madeResults(): StoredResults {
  const experiment = checkExperiment({
    title: 'Made <up> & "quoted"',
    tasks: [{ task: 'countdown' }, { task: 'knights' }],
    problems: 2,
    samples: 4,
    n: [1, 2],
    thinking: [4, 8],
    presets: ['measured'],
    resamples: 200,
  });
  const units = (['countdown', 'knights'] as const).flatMap((task) =>
    [0, 1].flatMap((index) => [4, 8].map((thinking) => unit(task, task === 'countdown' ? 3 : 2, index, thinking))),
  );
  const setting: Setting = {
    model: 'made',
    parameters: 1,
    precision: { weights: 'f32', kv: 'f32' },
    device: 'none',
    software: true,
    intensity: 10,
    shape: null,
  };
  return { header: { format: 'reckon-lab', version: 1, experiment, setting }, units };
}
