/**
 * Recall: a long list in which every name stands for another name or for a number, and a question that comes last. The
 * entries a chain leads through may lie anywhere in the list: whoever forgets its middle cannot follow.
 *
 *   Given q4=z7,b3=41,z7=b3. Follow q4.
 */
import { checkNumber, ReckonError } from '../../errors.ts';
import { badProblem } from '../bad-problem.ts';
import { Random } from '../random.ts';
import type { TracedTask } from '../traced.ts';
import type { Problem, Verdict } from '../types.ts';
import { checkRecall, traceRecall } from './trace.ts';

export interface RecallData {
  /** Name and what it stands for, in the order of the list. */
  readonly entries: readonly (readonly [name: string, value: string])[];
  readonly query: string;
}

const ID = 'recall';
/** How many entries. */
const DIFFICULTIES = [8, 16, 32, 64, 128, 224] as const;
/** Entries up to which a list is easy, and medium. */
const EASY = 16;
const MEDIUM = 64;
/** Links of a chain, and of the one that is asked for. */
const LINKS = [1, 5] as const;
const ASKED = [2, 5] as const;
const MOST_ENTRIES = 260;
const EXAMPLE = 'A right one looks like "Given q4=z7,b3=41,z7=b3. Follow q4.": names are a letter and a digit.';

export function isName(text: string): boolean {
  return /^[a-z]\d$/.test(text);
}

function problem(data: RecallData): Problem {
  const list = data.entries.map(([name, value]) => `${name}=${value}`).join(',');
  return { task: ID, prompt: `Given ${list}. Follow ${data.query}.`, difficulty: data.entries.length, data };
}

function generate(seed: number, difficulty: number = DIFFICULTIES[0]): Problem {
  if (!DIFFICULTIES.some((known) => known === difficulty)) {
    throw new ReckonError('bad-option', `Recall has no difficulty ${difficulty}.`, {
      hint: `Choose how many entries: ${DIFFICULTIES.join(', ')}.`,
      details: { task: ID, difficulty },
    });
  }
  checkNumber('seed', seed, { min: 0, max: Number.MAX_SAFE_INTEGER, integer: true });
  const random = Random.fromSeed(seed, `${ID}/${difficulty}`);
  const all = Array.from({ length: 260 }, (_, i) => `${String.fromCharCode(97 + Math.floor(i / 10))}${i % 10}`);
  const names = random.shuffle(all).slice(0, difficulty);
  const entries: (readonly [string, string])[] = [];
  for (let at = 0; at < difficulty; ) {
    const wanted = at === 0 ? random.between(...ASKED) : random.between(...LINKS);
    const chain = names.slice(at, at + wanted);
    for (const [i, name] of chain.entries()) entries.push([name, chain[i + 1] ?? String(random.between(10, 99))]);
    at += chain.length;
  }
  return problem({ entries: random.shuffle(entries), query: names[0] as string });
}

const FORM = /^given\s+(.*?)\s*[.;]\s*follow\s+(\S+?)\s*[.?!]?$/isu;

function parse(text: string): Problem {
  const match = FORM.exec(text.trim());
  if (!match) {
    const likeness = /^given\b/i.test(text.trim()) ? 2 : 0;
    throw badProblem(
      ID,
      likeness,
      likeness ? 'The list or the question is missing.' : 'This is no list to follow.',
      EXAMPLE,
    );
  }
  const entries = (match[1] as string).split(',').map((entry, i) => {
    const [name = '', value = ''] = entry.split('=').map((part) => part.trim().toLowerCase());
    if (!isName(name) || !(isName(value) || /^\d{1,4}$/.test(value))) {
      throw badProblem(ID, 2, `Entry ${i + 1} is ${JSON.stringify(entry.trim())}.`, EXAMPLE);
    }
    return [name, value] as const;
  });
  const query = (match[2] as string).toLowerCase();
  const fail = (message: string) => badProblem(ID, 3, message, EXAMPLE);
  if (entries.length > MOST_ENTRIES) throw fail(`The list has ${entries.length} entries.`);
  const map = new Map(entries);
  if (map.size < entries.length) throw fail('A name stands in the list twice.');
  const seen = new Set<string>();
  for (let at = query; isName(at) || !/^\d+$/.test(at); at = map.get(at) as string) {
    if (!map.has(at)) throw fail(`${at} is not in the list.`);
    if (seen.has(at)) throw fail(`Following ${query} goes round in a circle.`);
    seen.add(at);
  }
  return problem({ entries, query });
}

/** The names passed, from the query on, and the number at the end. */
export function followed({ entries, query }: RecallData): { names: string[]; end: string } {
  const map = new Map(entries);
  const names: string[] = [];
  let at = query;
  for (; map.has(at); at = map.get(at) as string) names.push(at);
  return { names, end: at };
}

function verify({ data }: Problem, answer: string): Verdict {
  const text = answer.trim();
  const { query } = data as RecallData;
  const { end } = followed(data as RecallData);
  if (text === '') return { correct: false, reason: 'There is no answer.' };
  if (text === end) return { correct: true, reason: `Following ${query} ends at ${end}.` };
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return { correct: false, reason: `Following ${query} ends at ${end}, not at ${JSON.stringify(shown)}.` };
}

export const recall: TracedTask = {
  id: ID,
  title: 'Recall',
  description: 'Follow a chain of names through a long list to the number at its end.',
  difficulties: DIFFICULTIES,
  generate,
  parse,
  verify,
  canonical({ data }) {
    const { entries, query } = data as RecallData;
    const number = new Map<string, number>();
    const of = (name: string) => {
      if (!isName(name)) return name;
      if (!number.has(name)) number.set(name, number.size);
      return `#${number.get(name)}`;
    };
    return `${entries.map(([name, value]) => `${of(name)}=${of(value)}`).join(',')};${of(query)}`;
  },
  level: ({ difficulty }) => (difficulty <= EASY ? 'easy' : difficulty <= MEDIUM ? 'medium' : 'hard'),
  trace: ({ data }, random, reconsidering = 'none') => traceRecall(data as RecallData, random, reconsidering),
  check: ({ data }, lines) => checkRecall(data as RecallData, lines),
};
