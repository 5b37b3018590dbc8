/**
 * Which page summaries find the pages that matter: mean keys, or least and greatest keys, on greedy traces of an embedded
 * model, as PyTorch wrote them. In float64, without a GPU: by the reference that the engine is held against.
 */
import { readFile } from 'node:fs/promises';
import { sourceOf } from '../src/api/source.ts';
import { ReckonError } from '../src/errors.ts';
import { embeddedModel } from '../src/node/models.ts';
import { loadReference } from '../test/reference/load.ts';
import { type Bench, count } from './options.ts';
import { table } from './statistics.ts';

const PAGE = 16;
const BUDGETS = [1, 2, 4, 8];
/** Pages that a coarse summary would bound together, and sizes of pages to look at. */
const GROUP = 4;
const GRAINS = [4, PAGE];
/** Rows before this have too few pages to choose among; of those behind it, every fourth is looked at. */
const FIRST = 100;
const STRIDE = 4;

const WAYS = ['oracle', 'minmax', 'mean', 'last pages'] as const;
type Way = (typeof WAYS)[number];

interface RecallRow {
  way: Way;
  /** Pages chosen. */
  pages: number;
  /** Of the pages with the most attention, how many are among those chosen. */
  recall: number;
  /** Of the attention that candidates get, what the chosen ones get. */
  mass: number;
}

/** How much of a scan the bounds of groups of pages would save, were the best pages by their own bounds wanted exactly. */
interface BoundRow {
  /** Tokens of a page; GROUP pages are a group. */
  page: number;
  /** Pages chosen. */
  pages: number;
  /** Of the groups: those that hold a chosen page, and those whose bound does not rule out that they do. */
  needed: number;
  kept: number;
}

export const recall: Bench = {
  summary: 'how well page summaries find the pages that get the most attention',
  help: `  --model NAME      an embedded model (default proto)
  --task NAME       traces of this task alone: kk, countdown
  --problems N      at most so many traces, spread over those there are (default 12)
`,
  options: { model: { type: 'string' }, task: { type: 'string' }, problems: { type: 'string' } },
  async run(options) {
    const model = options.text('model') ?? 'proto';
    const task = options.text('task');
    const traces = spread(await tracesOf(model, task), count(options, 'problems', 12));
    const decoder = await loadReference(await sourceOf(embeddedModel(model)));
    const { heads, kvHeads, headDim } = decoder.config;
    const sums = new Map<string, { recall: number; mass: number }>();
    const bounds = new Map<string, { needed: number; kept: number; choices: number }>();
    let choices = 0;
    let tokens = 0;
    const look = (layer: number, query: Float64Array, keys: readonly Float64Array[]) => {
      if (layer === 0 || keys.length < FIRST || keys.length % STRIDE !== 0) return;
      const group = heads / kvHeads;
      for (let kv = 0; kv < kvHeads; kv++) {
        const own = keys.map((key) => key.subarray(kv * headDim, (kv + 1) * headDim));
        const queries = Array.from({ length: group }, (_, i) =>
          query.subarray((kv * group + i) * headDim, (kv * group + i + 1) * headDim),
        );
        const scores = pageScores(queries, own);
        choices++;
        for (const page of GRAINS) {
          for (const pages of BUDGETS) {
            const found = boundGroups(queries, own, page, pages);
            if (!found) continue;
            const sum = bounds.get(`${page}/${pages}`) ?? { needed: 0, kept: 0, choices: 0 };
            sum.needed += found.needed;
            sum.kept += found.kept;
            sum.choices++;
            bounds.set(`${page}/${pages}`, sum);
          }
        }
        for (const pages of BUDGETS) {
          const best = new Set(top(scores.oracle, pages));
          const all = scores.oracle.reduce((a, b) => a + b, 0);
          for (const way of WAYS) {
            const chosen = top(scores[way], pages);
            const sum = sums.get(`${way}/${pages}`) ?? { recall: 0, mass: 0 };
            sum.recall += chosen.filter((page) => best.has(page)).length / best.size;
            sum.mass += chosen.reduce((mass, page) => mass + scores.oracle[page]!, 0) / all;
            sums.set(`${way}/${pages}`, sum);
          }
        }
      }
    };
    for (const trace of traces) {
      const session = decoder.session();
      session.observe = look;
      for (const token of trace) session.push(token);
      tokens += trace.length;
    }
    const rows = BUDGETS.flatMap((pages) =>
      WAYS.map((way): RecallRow => {
        const sum = sums.get(`${way}/${pages}`) ?? { recall: Number.NaN, mass: Number.NaN };
        return { way, pages, recall: sum.recall / choices, mass: sum.mass / choices };
      }),
    );
    const boundRows = GRAINS.flatMap((page) =>
      BUDGETS.flatMap((pages): BoundRow[] => {
        const sum = bounds.get(`${page}/${pages}`);
        return sum ? [{ page, pages, needed: sum.needed / sum.choices, kept: sum.kept / sum.choices }] : [];
      }),
    );
    const body = rows.map(({ way, pages, recall: found, mass }) => [
      way,
      String(pages),
      found.toFixed(3),
      mass.toFixed(3),
    ]);
    const text = [
      `${model}${task === undefined ? '' : `, ${task}`}: ${traces.length} greedy traces of ${tokens} tokens, ${choices} choices of pages of ${PAGE} tokens`,
      '',
      table(['by', 'pages', 'recall', 'mass'], body),
      '',
      'Candidates: full pages behind the first and before the own, in all layers but the first. Mass: of the attention that',
      'candidates get, over the query heads of a KV head, what the chosen pages get. Oracle: the pages that get the most.',
      '',
      table(
        ['tokens a page', 'pages', 'groups needed', 'groups kept'],
        boundRows.map(({ page, pages, needed, kept }) => [
          String(page),
          String(pages),
          needed.toFixed(3),
          kept.toFixed(3),
        ]),
      ),
      '',
      `A scan in two levels: groups of ${GROUP} pages have least and greatest keys of their own. Needed: groups with a page that the`,
      'exact choice by minmax takes; kept: groups that their bounds do not rule out, whose pages must be looked at.',
    ].join('\n');
    return {
      data: { model, task: task ?? null, traces: traces.length, tokens, choices, rows, bounds: boundRows },
      text,
    };
  },
};

interface Golden {
  readonly cases: readonly { readonly task?: string; readonly promptIds: number[]; readonly greedyIds: number[] }[];
}

/**
 * A model's greedy traces, prompts included: those that its logits are held against.
 * @throws ReckonError `bad-option` where there are none.
 */
async function tracesOf(model: string, task: string | undefined): Promise<number[][]> {
  const text = await readFile(`test/golden/${model}.json`, 'utf8').catch((cause: unknown) => {
    throw new ReckonError('bad-option', `There are no traces of ${JSON.stringify(model)}.`, {
      hint: 'Name an embedded model.',
      cause,
    });
  });
  const { cases } = JSON.parse(text) as Golden;
  const wanted = cases.filter((one) => task === undefined || one.task === task);
  if (wanted.length === 0) {
    const tasks = [...new Set(cases.flatMap((one) => one.task ?? []))];
    throw new ReckonError('bad-option', `${model} has no traces of ${JSON.stringify(task)}.`, {
      hint: tasks.length > 0 ? `It has some of ${tasks.join(', ')}.` : 'Leave --task out.',
    });
  }
  return wanted.map(({ promptIds, greedyIds }) => [...promptIds, ...greedyIds]);
}

/** `count` of the items, or all where there are no more, evenly from the first on. */
function spread<T>(items: readonly T[], count: number): T[] {
  const taken = Math.min(count, items.length);
  return Array.from({ length: taken }, (_, i) => items[Math.floor((i * items.length) / taken)] as T);
}

/** Scores of the candidate pages: 0 is the second page. */
function pageScores(queries: readonly Float64Array[], keys: readonly Float64Array[]): Record<Way, number[]> {
  const size = keys[0]!.length;
  const scale = 1 / Math.sqrt(size);
  const dot = (a: ArrayLike<number>, b: ArrayLike<number>) => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += a[i]! * b[i]!;
    return sum;
  };
  const mean = Float64Array.from(
    { length: size },
    (_, i) => queries.reduce((sum, q) => sum + q[i]!, 0) / queries.length,
  );
  const weights = new Float64Array(keys.length);
  for (const query of queries) {
    const scores = keys.map((key) => dot(query, key) * scale);
    const most = Math.max(...scores);
    const exps = scores.map((score) => Math.exp(score - most));
    const total = exps.reduce((a, b) => a + b, 0);
    for (const [i, x] of exps.entries()) weights[i]! += x / total;
  }
  const pages = Math.floor((keys.length - 1) / PAGE) - 1;
  const scores: Record<Way, number[]> = { oracle: [], minmax: [], mean: [], 'last pages': [] };
  for (let page = 1; page <= pages; page++) {
    const own = keys.slice(page * PAGE, (page + 1) * PAGE);
    scores.oracle.push(weights.subarray(page * PAGE, (page + 1) * PAGE).reduce((a, b) => a + b, 0));
    scores.mean.push(own.reduce((sum, key) => sum + dot(mean, key), 0) / PAGE);
    let bound = 0;
    for (let i = 0; i < size; i++) bound += Math.max(...own.map((key) => mean[i]! * key[i]!));
    scores.minmax.push(bound);
    scores['last pages'].push(page);
  }
  return scores;
}

/** Shares of the candidate groups; null where there are too few pages to choose among, or a single group. */
function boundGroups(
  queries: readonly Float64Array[],
  keys: readonly Float64Array[],
  page: number,
  chosen: number,
): { needed: number; kept: number } | null {
  const size = keys[0]!.length;
  const mean = Float64Array.from(
    { length: size },
    (_, i) => queries.reduce((sum, q) => sum + q[i]!, 0) / queries.length,
  );
  const boundOf = (from: number, to: number) => {
    let bound = 0;
    for (let i = 0; i < size; i++) {
      let most = Number.NEGATIVE_INFINITY;
      for (let t = from; t < to; t++) most = Math.max(most, mean[i]! * keys[t]![i]!);
      bound += most;
    }
    return bound;
  };
  const groups = Math.floor((keys.length - 1) / (page * GROUP));
  const pages = Array.from({ length: groups * GROUP }, (_, i) => boundOf(i * page, (i + 1) * page));
  if (groups < 2 || pages.length <= 2 * chosen) return null;
  const best = top(pages, chosen);
  const least = pages[best.at(-1)!]!;
  const span = page * GROUP;
  const kept = Array.from({ length: groups }, (_, i) => boundOf(i * span, (i + 1) * span)).filter((x) => x >= least);
  return { needed: new Set(best.map((i) => Math.floor(i / GROUP))).size / groups, kept: kept.length / groups };
}

function top(scores: readonly number[], count: number): number[] {
  return scores
    .map((score, page) => ({ score, page }))
    .sort((a, b) => b.score - a.score || a.page - b.page)
    .slice(0, count)
    .map(({ page }) => page);
}
