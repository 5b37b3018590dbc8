/**
 * Which page summaries find the pages that matter: mean keys, or least and greatest keys, on traces of the embedded model.
 * In float64, without a GPU: by the reference that the engine is held against.
 */
import { taskById } from '../src/tasks/index.ts';
import type { ReferenceSession } from '../test/reference/decoder.ts';
import { protoDecoder, protoPrompt, STOP_TOKENS } from '../test/reference/proto.ts';
import { type Bench, count } from './options.ts';
import { table } from './statistics.ts';

const PAGE = 16;
const BUDGETS = [1, 2, 4, 8];
/** Rows before this have too few pages to choose among; of those behind it, every fourth is looked at. */
const FIRST = 100;
const STRIDE = 4;
const LONGEST = 480;

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

export const recall: Bench = {
  summary: 'how well page summaries find the pages that get the most attention',
  help: '  --problems N      traces, one each (default 12)\n',
  options: { problems: { type: 'string' } },
  async run(options) {
    const problems = count(options, 'problems', 12);
    const decoder = protoDecoder();
    const { heads, kvHeads, headDim } = decoder.config;
    const sums = new Map<string, { recall: number; mass: number }>();
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
    for (let seed = 1; seed <= problems; seed++) {
      const session = decoder.session();
      session.observe = look;
      tokens += greedy(session, protoPrompt(taskById('countdown').generate(seed).prompt));
    }
    const rows = BUDGETS.flatMap((pages) =>
      WAYS.map((way): RecallRow => {
        const sum = sums.get(`${way}/${pages}`) ?? { recall: Number.NaN, mass: Number.NaN };
        return { way, pages, recall: sum.recall / choices, mass: sum.mass / choices };
      }),
    );
    const body = rows.map(({ way, pages, recall: found, mass }) => [
      way,
      String(pages),
      found.toFixed(3),
      mass.toFixed(3),
    ]);
    const text = [
      `proto, Countdown, ${problems} greedy traces of ${tokens} tokens: ${choices} choices of pages of ${PAGE} tokens`,
      '',
      table(['by', 'pages', 'recall', 'mass'], body),
      '',
      'Candidates: full pages behind the first and before the own, in all layers but the first. Mass: of the attention that',
      'candidates get, over the query heads of a KV head, what the chosen pages get. Oracle: the pages that get the most.',
    ].join('\n');
    return { data: { problems, tokens, choices, rows }, text };
  },
};

/** Reads a prompt and goes on by the likeliest token to the model's end; returns the tokens held. */
function greedy(session: ReferenceSession, prompt: readonly number[]): number {
  let logits = new Float64Array(0);
  for (const token of prompt) logits = session.push(token) as Float64Array<ArrayBuffer>;
  while (session.length < LONGEST) {
    const token = logits.reduce((best, x, i) => (x > logits[best]! ? i : best), 0);
    if (STOP_TOKENS.includes(token)) break;
    logits = session.push(token) as Float64Array<ArrayBuffer>;
  }
  return session.length;
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

function top(scores: readonly number[], count: number): number[] {
  return scores
    .map((score, page) => ({ score, page }))
    .sort((a, b) => b.score - a.score || a.page - b.page)
    .slice(0, count)
    .map(({ page }) => page);
}
