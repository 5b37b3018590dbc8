/**
 * Budgets on the engine itself: random runs of Best-of-N, each with one limit drawn between the least that is accepted and
 * what the run would cost without one. How much of the limit was used; above 1 it was overshot.
 */
import type { ReasonRequest } from '../src/api/types.ts';
import { isReckonError } from '../src/errors.ts';
import { eflopsOf, PAPER_INTENSITY } from '../src/strategies/budget.ts';
import type { Answer } from '../src/strategies/types.ts';
import { tasks } from '../src/tasks/index.ts';
import { Random } from '../src/tasks/random.ts';
import { type BenchModel, MODEL_HELP, MODEL_OPTIONS, modelOptions, openBenchModel } from './model.ts';
import { type Bench, count } from './options.ts';
import { median, table } from './statistics.ts';

const LIMITS = ['tokens', 'eflops', 'bytes'] as const;
type Limit = (typeof LIMITS)[number];

interface BudgetRun {
  limit: Limit;
  lanes: number;
  /** Spent over allowed. */
  used: number;
  /** Lanes that ended in an answer of their own, or by its length. */
  answered: number;
}

export const budgets: Bench = {
  summary: 'budgets that bind: how much of each limit random runs use, overshoot included',
  help: `${MODEL_HELP}  --runs N          random runs (default 24)
  --seed N          which (default 1)
`,
  options: { ...MODEL_OPTIONS, runs: { type: 'string' }, seed: { type: 'string' } },
  async run(options) {
    const runs = count(options, 'runs', 24);
    const bench = await openBenchModel({ ...modelOptions(options), maxLanes: 8, maxContext: 512 });
    try {
      const random = Random.fromSeed(options.number('seed', { min: 0, integer: true }) ?? 1, 'budgets');
      const rows: BudgetRun[] = [];
      while (rows.length < runs) rows.push(await budgetRun(bench, random, LIMITS[rows.length % LIMITS.length]!));
      const device = bench.model.info.device.name;
      return { data: { device, model: bench.model.info.name, rows }, text: describe(rows, device) };
    } finally {
      bench.model.dispose();
    }
  },
};

async function budgetRun({ model }: BenchModel, random: Random, limit: Limit): Promise<BudgetRun> {
  const task = random.pick(tasks.filter(({ id }) => id === 'countdown' || id === 'knights'));
  const n = random.between(1, 8);
  const request: ReasonRequest = {
    problem: task.generate(random.between(0, 1e6)),
    strategy: { name: 'best-of-n', n, select: 'logprob', earlyStop: false },
    sampling: { seed: random.between(0, 1e6), temperature: 1 },
    thinking: { maxTokens: 160 },
    answer: { maxTokens: 32 },
  };
  const free = spent(await model.reason(request).result, limit);
  const refusal: unknown = await model
    .reason({ ...request, budget: { [limit]: 0.5 } })
    .result.catch((error: unknown) => error);
  if (!isReckonError(refusal, 'over-capacity')) throw refusal;
  const least = (refusal.details as { least: number }).least;
  const allowed = least + (random.uint32() / 2 ** 32) * Math.max(0, free - least);
  const answer = await model.reason({ ...request, budget: { [limit]: allowed } }).result;
  return {
    limit,
    lanes: n,
    used: spent(answer, limit) / allowed,
    answered: answer.candidates.filter(({ finish }) => finish === 'stop' || finish === 'length').length,
  };
}

function spent({ usage }: Answer, limit: Limit): number {
  if (limit === 'tokens') return usage.completionTokens;
  return limit === 'bytes' ? usage.ledger.bytes : eflopsOf(usage.ledger, PAPER_INTENSITY);
}

function describe(rows: readonly BudgetRun[], device: string): string {
  const lines = LIMITS.flatMap((limit) => {
    const own = rows.filter((row) => row.limit === limit);
    if (own.length === 0) return [];
    const used = own.map((row) => row.used);
    const lanes = own.reduce((sum, row) => sum + row.lanes, 0);
    const answered = own.reduce((sum, row) => sum + row.answered, 0);
    return [
      [limit, String(own.length), median(used).toFixed(3), Math.max(...used).toFixed(3), `${answered} of ${lanes}`],
    ];
  });
  return [
    `budgets on ${device}`,
    '',
    table(['limit', 'runs', 'median used', 'most used', 'lanes that answered'], lines),
    '',
    'Used: spent over allowed; above 1 the budget was overshot.',
  ].join('\n');
}
