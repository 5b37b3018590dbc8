/**
 * `reckon verify`: the tasks over a pipe, for a trainer in another language. One JSON document a line, each answered by one line
 * in its turn:
 *
 *   {"problems": {"task", "difficulty", "first", "count", "heldOut", "system"?}}
 *     → {"problems": [{"task", "difficulty", "prompt", "ids"}]}     ids: the chat prompt, up to where the model thinks
 *   {"verify": [{"task", "prompt", "ids" | "text"}]}                what the model wrote behind that prompt
 *     → {"verdicts": [{"correct", "reason", "answer", "thinking"}]} thinking: its tokens, null where it was never closed
 *
 * A line that makes no sense is answered by {"error"}, and the next one is read.
 */
import { createInterface } from 'node:readline';
import { checkNumber, ReckonError } from '../errors.ts';
import { encodeFamily, numberedProblem, renderTurns, type Turn, VOCABULARY } from '../tasks/corpus/index.ts';
import { type Problem, tracedTaskById } from '../tasks/index.ts';
import { readOptions } from './options.ts';

const HELP = `usage: reckon verify

Reads requests from stdin and answers on stdout, one JSON document a line: problems of the tasks in the chat format of the
embedded models, and verdicts on what a model wrote. training/bridge.py speaks it.

  {"problems": {"task": "kk", "difficulty": 3, "first": 0, "count": 8, "heldOut": true}}
  {"verify": [{"task": "kk", "prompt": "…", "text": "…\\n</think>\\nAda is a knight, …"}]}
`;

const MOST_PROBLEMS = 100_000;
const END_THINKING = '</think>';

type Fields = Record<string, unknown>;

function bad(message: string): ReckonError {
  return new ReckonError('bad-option', message, { hint: 'reckon verify --help shows a request.' });
}

function fieldsOf(value: unknown, what: string): Fields {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Fields;
  throw bad(`${what} is no object.`);
}

function textOf(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value === 'string') return value;
  throw bad(`"${name}" is no text.`);
}

const whole = (fields: Fields, name: string, max: number): number =>
  checkNumber(name, fields[name] as number, { min: 0, max, integer: true });

function problems(request: Fields): Fields {
  const traced = tracedTaskById(textOf(request, 'task'));
  const difficulty = whole(request, 'difficulty', 1000);
  const first = whole(request, 'first', 2 ** 40);
  const count = whole(request, 'count', MOST_PROBLEMS);
  const before: Turn[] = request.system === undefined ? [] : [{ role: 'system', content: textOf(request, 'system') }];
  return {
    problems: Array.from({ length: count }, (_, i) => {
      const { task, prompt } = numberedProblem(traced, difficulty, first + i, request.heldOut === true);
      const ids = encodeFamily(renderTurns([...before, { role: 'user', content: prompt }], true));
      return { task, difficulty, prompt, ids };
    }),
  };
}

/** The text of a model's tokens, without what ended its turn. */
function writtenText(item: Fields): string {
  if (typeof item.text === 'string') return item.text;
  if (!Array.isArray(item.ids)) throw bad('An item to verify has neither "ids" nor "text".');
  const texts = item.ids.map((id) => {
    const text = VOCABULARY[id as number];
    if (text === undefined) throw bad(`${JSON.stringify(id)} is no token id.`);
    return text;
  });
  return texts.join('').replace(/<\|(?:im_end|endoftext)\|>$/u, '');
}

/** Problems by task and prompt: parsing one may take a search, and a group of samples shares one. */
class Parsed {
  readonly #known = new Map<string, Problem>();

  of(task: string, prompt: string): Problem {
    const key = `${task}\n${prompt}`;
    let problem = this.#known.get(key);
    if (!problem) {
      // Groups come one behind the other: a few are enough to keep.
      if (this.#known.size >= 4096) this.#known.clear();
      problem = tracedTaskById(task).parse(prompt);
      this.#known.set(key, problem);
    }
    return problem;
  }
}

function verdict(value: unknown, parsed: Parsed): Fields {
  const item = fieldsOf(value, 'An item to verify');
  const id = textOf(item, 'task');
  const problem = parsed.of(id, textOf(item, 'prompt'));
  const text = writtenText(item);
  const at = text.indexOf(END_THINKING);
  if (at < 0) return { correct: false, reason: 'The thinking was never closed.', answer: '', thinking: null };
  const answer = text.slice(at + END_THINKING.length).trim();
  const thinking = encodeFamily(text.slice(0, at)).length;
  return { ...tracedTaskById(id).verify(problem, answer), answer, thinking };
}

/** Answers one line. Never throws: what is wrong with a request is the answer to it. */
function answerLine(line: string, parsed: Parsed): string {
  try {
    const request = fieldsOf(JSON.parse(line), 'The request');
    if (request.problems !== undefined) return JSON.stringify(problems(fieldsOf(request.problems, '"problems"')));
    if (!Array.isArray(request.verify)) throw bad('A request holds "problems" or a list "verify".');
    return JSON.stringify({ verdicts: request.verify.map((item) => verdict(item, parsed)) });
  } catch (error) {
    return JSON.stringify({ error: error instanceof Error ? error.message : String(error) });
  }
}

/** Answers of {@link verify} to lines, in their order; blank lines have none. */
export async function* answers(lines: AsyncIterable<string>): AsyncGenerator<string> {
  const parsed = new Parsed();
  for await (const line of lines) if (line.trim() !== '') yield answerLine(line, parsed);
}

export async function verify(args: string[]): Promise<void> {
  if (readOptions(args, { help: { type: 'boolean' } }).flag('help')) {
    process.stdout.write(HELP);
    return;
  }
  const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
  for await (const answer of answers(lines)) process.stdout.write(`${answer}\n`);
}
