/**
 * Following a chain, a link a line, and checking it.
 *
 *   b3=41        the entry before the next one in the list: where it stands
 *   q4=z7        the link
 */
import type { Random } from '../random.ts';
import {
  invalid,
  type Reconsidering,
  SCORES,
  type Step,
  type StepCheck,
  type StepRole,
  type Trace,
  valid,
} from '../traced.ts';
import type { RecallData } from './task.ts';

const LINK = /^([a-z]\d)=([a-z]\d|\d{1,4})$/u;
const WAIT = /^Wait, (.*) (yes|no)$/u;
const BACK = /^back ([a-z]\d)$/u;

type Link = readonly [name: string, value: string];

function linkText([name, value]: Link): string {
  return `${name}=${value}`;
}

/** @returns null where `late` is asked for and the drawn mistake leads round in a circle. */
export function traceRecall(data: RecallData, random: Random, reconsidering: Reconsidering): Trace | null {
  const map = new Map(data.entries);
  const steps: Step[] = [];
  const late = reconsidering === 'late';
  const write = (text: string, role: StepRole, sound = true) =>
    steps.push({ text, role: late && role !== 'detail' ? 'path' : role, ...(sound ? {} : { sound }) });
  /** Writes links from `at` to a number; the one at `wrongAt` with another's value. @returns the links, or null. */
  const follow = (at: string, wrongAt: number): Link[] | null => {
    const links: Link[] = [];
    for (let name = at; map.has(name); ) {
      if (links.some(([before]) => before === name)) return null;
      const index = data.entries.findIndex(([entry]) => entry === name);
      const before = data.entries[index - 1];
      if (before && links.length !== wrongAt) write(linkText(before), 'detail');
      const right = map.get(name) as string;
      const slips = links.length === wrongAt;
      const value = slips ? random.pick(data.entries)[1] : right;
      if (slips && (value === right || value === name)) return null;
      const link: Link = [name, value];
      write(linkText(link), 'path', !slips);
      links.push(link);
      name = value;
    }
    return links;
  };
  const length = chainLength(data);
  const wrongAt = late ? random.below(length) : -1;
  const links = follow(data.query, wrongAt);
  if (!links) return null;
  if (reconsidering === 'recheck') write(`Wait, ${links.map(linkText).join(', ')} yes`, 'path');
  if (!late) return { steps, answer: (links.at(-1) as Link)[1] };
  const name = (links[wrongAt] as Link)[0];
  const right: Link = [name, map.get(name) as string];
  write(`Wait, ${[...links.slice(0, wrongAt), right].map(linkText).join(', ')} no`, 'path');
  write(`back ${name}`, 'path');
  const rest = follow(name, -1) as Link[];
  return { steps, answer: (rest.at(-1) as Link)[1] };
}

function chainLength({ entries, query }: RecallData): number {
  const map = new Map(entries);
  let length = 0;
  for (let at = query; map.has(at); at = map.get(at) as string) length++;
  return length;
}

class Replay {
  readonly #data: RecallData;
  readonly #map: ReadonlyMap<string, string>;
  readonly #links: Link[] = [];

  constructor(data: RecallData) {
    this.#data = data;
    this.#map = new Map(data.entries);
  }

  /** The name whose link is due; a number once the chain has ended. */
  get #at(): string {
    return this.#links.at(-1)?.[1] ?? this.#data.query;
  }

  step(line: string): StepCheck {
    const link = LINK.exec(line);
    if (link) return this.#link([link[1] as string, link[2] as string]);
    const wait = WAIT.exec(line);
    if (wait) return this.#wait(wait[1] as string, wait[2] === 'yes');
    const back = BACK.exec(line);
    return back ? this.#back(back[1] as string) : invalid('This is no link of a list.');
  }

  #wrongLink(): number {
    return this.#links.findIndex(([name, value]) => this.#map.get(name) !== value);
  }

  #link(link: Link): StepCheck {
    const [name, value] = link;
    const right = this.#map.get(name);
    if (name === this.#at) {
      this.#links.push(link);
      if (right === undefined) return invalid(`${name} is not in the list.`);
      if (value !== right) return invalid(`${name} stands for ${right}, not ${value}.`);
      const past = this.#wrongLink() >= 0;
      return valid(
        past ? SCORES.astray : SCORES.good,
        past ? 'Right, but the chain was left before.' : 'The link is right.',
      );
    }
    if (value !== right) return invalid(`${name} stands for ${right ?? 'nothing'}, not ${value}.`);
    const index = this.#data.entries.findIndex(([entry]) => entry === this.#at);
    if (this.#data.entries[index - 1]?.[0] === name) return valid(SCORES.good, `It stands before ${this.#at}.`);
    return invalid(`${name} has nothing to do with ${this.#at}.`, SCORES.unfounded);
  }

  #wait(text: string, yes: boolean): StepCheck {
    if (this.#map.has(this.#at)) return invalid('The chain has not come to its end.', SCORES.unfounded);
    const wrong = this.#wrongLink();
    const looked = (wrong < 0 ? this.#links : this.#links.slice(0, wrong + 1)).map(
      ([name, value]) => [name, this.#map.get(name) ?? value] as const,
    );
    const right = looked.map(linkText).join(', ');
    if (text !== right) return invalid(`It should read "${right}".`);
    if (yes !== wrong < 0) return invalid(`It ends with "${yes ? 'yes' : 'no'}".`, SCORES.unfounded);
    return valid(SCORES.good, yes ? 'Everything is right.' : 'The second look finds the mistake.');
  }

  #back(name: string): StepCheck {
    const wrong = this.#wrongLink();
    const at = this.#links.findIndex(([before]) => before === name);
    if (at >= 0) this.#links.length = at;
    if (at < 0) return invalid(`The chain did not pass ${name}.`, SCORES.unfounded);
    if (wrong !== at) return invalid('The mistake is not there.', SCORES.unfounded);
    return valid(SCORES.good, `From ${name} on it is to be followed anew.`);
  }
}

export function checkRecall(data: RecallData, lines: readonly string[]): StepCheck[] {
  const replay = new Replay(data);
  return lines.map((line) => replay.step(line));
}
