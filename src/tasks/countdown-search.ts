/**
 * A search for the target written out. Which move comes next is drawn: as often as not one that leads on, else a likely one
 * that does not; what is begun in vain is given up after a try or two.
 *
 *   9*10=90 left 13 90      a move, and the numbers behind it
 *   90+13=103 no            the last move: does it make the target?
 *   90/13 no                does not come out even
 *   back 13 9 10            given up; these numbers are taken up again
 */
import { type CountdownStep, formatSteps } from './countdown-solver.ts';
import { CountdownStates, keyOf, listed, type Move, moveText } from './countdown-states.ts';
import type { Random } from './random.ts';
import type { Manner, Reconsidering, Step, StepRole, Trace } from './traced.ts';

/** In percent, how often the next move leads on, where one does. More numbers need more luck. */
const LUCK: Readonly<Record<number, number>> = { 3: 45, 4: 55, 5: 65 };
/** Branches given up before luck becomes certain: a trace has to end. Times the endurance asked for. */
const PATIENCE = 7;
/** Of a restless search: in percent, how often the last move but one leads on, where one does and more numbers came before. */
const SIGHT = 60;
/** Of a restless search: in percent, how often a branch in vain gets a second try. */
const SECOND_TRY = 70;
/** Moves looked at when a likely one is chosen among those that lead nowhere. */
const GLANCE = 4;
/** How far a miscalculated result lies from the right one. */
const SLIPS = [1, -1, 2, -2, 10, -10, 9, -9, 5, -5, 20, -20] as const;

class Search {
  readonly #states: CountdownStates;
  readonly #random: Random;
  readonly #luck: number;
  readonly #patience: number;
  readonly #foolish: number;
  readonly #restless: boolean;
  /** Of a restless search: numbers left that were seen to lead nowhere, so that they are not met twice. */
  readonly #seen = new Set<string>();
  readonly #lines: { text: string; role: StepRole; sound: boolean; unlearnt: number }[] = [];
  #failures = 0;

  constructor(
    numbers: readonly number[],
    target: number,
    random: Random,
    { endurance = 1, foolish = 0, restless = false }: Manner,
  ) {
    this.#states = new CountdownStates(numbers, target);
    this.#random = random;
    // Who has less luck searches longer, and most of a long search has to be so for all of it to be seen. A restless one
    // wastes less behind each failure, so that it takes rarer luck to be as long.
    this.#luck = (LUCK[numbers.length] ?? 75) / (restless ? endurance : Math.sqrt(endurance));
    this.#patience = PATIENCE * endurance;
    this.#foolish = foolish;
    this.#restless = restless;
  }

  #write(text: string, role: StepRole, sound = true, unlearnt = 0): void {
    this.#lines.push({ text, role, sound, unlearnt });
  }

  #distance(numbers: readonly number[]): number {
    const results = numbers.length === 2 ? this.#states.moves(numbers).map(({ result }) => result) : numbers;
    return Math.min(...results.map((result) => Math.abs(result - this.#states.target)));
  }

  /** One of `moves`, the likeliest of a few. */
  #likely(moves: readonly Move[]): Move {
    const few = Array.from({ length: GLANCE }, () => this.#random.pick(moves));
    return few.reduce((best, move) => (this.#distance(move.rest) < this.#distance(best.rest) ? move : best));
  }

  #choose(moves: readonly Move[], begins: boolean): Move {
    const good = moves.filter(({ rest }) => this.#states.solvable(rest));
    const bad = moves.filter(({ rest }) => !this.#states.solvable(rest));
    const near = this.#restless && !begins && moves[0]?.rest.length === 2;
    const lucky = this.#failures >= this.#patience || this.#random.below(100) < (near ? SIGHT : this.#luck);
    if (good.length > 0 && (lucky || bad.length === 0)) return this.#random.pick(good);
    return this.#restless && begins ? this.#random.pick(bad) : this.#likely(bad);
  }

  /**
   * How much of a move is not to be learnt: of a restless search what is tried in vain when the end is near. Farther from it
   * it is to be learnt that what has been tried is not tried again.
   */
  #unlearnt(move: Move, vain: boolean): number {
    return this.#restless && vain && move.rest.length === 2 ? moveText(move).indexOf('=') : 0;
  }

  /** How many moves are tried before these numbers are given up. */
  #tries(hopeless: boolean, begins: boolean): number {
    if (this.#restless && !begins) return 1 + Number(this.#random.below(100) < SECOND_TRY);
    return hopeless ? 1 + this.#random.below(2) : Number.POSITIVE_INFINITY;
  }

  /** Sometimes, a division that does not come out even. */
  #tryUneven(numbers: readonly number[]): void {
    // Nothing is drawn where nothing foolish is wanted, so that such a search is what it was before there was a choice.
    if (this.#foolish === 0 || this.#random.below(100) >= this.#foolish) return;
    const pairs = numbers.flatMap((left) =>
      numbers.filter((right) => right > 1 && left > right && left % right !== 0).map((right) => `${left}/${right}`),
    );
    if (pairs.length === 0) return;
    const tried = this.#random.pick(pairs);
    this.#write(`${tried} no`, 'failure', true, tried.length);
  }

  /** The last move: results near the target are written out until one is it. @returns that move, or null. */
  #finish(numbers: readonly number[]): Move | null {
    const { target } = this.#states;
    const off = ({ result }: Move) => Math.abs(result - target);
    const near = this.#states.moves(numbers).sort((a, b) => off(a) - off(b));
    const hit = near.find(({ result }) => result === target) ?? null;
    const misses = near.filter(({ result }) => result !== target);
    // A person who sees the answer seldom tries another first.
    const another = () => (this.#restless ? Number(this.#random.below(5) === 0) : this.#random.below(2));
    const count = hit ? Number(this.#random.below(4) === 0) : 1 + another();
    this.#tryUneven(numbers);
    for (const miss of misses.slice(0, count)) this.#write(`${moveText(miss)} no`, 'failure');
    if (hit) this.#write(`${moveText(hit)} yes`, 'path');
    return hit;
  }

  /** Explores numbers, at least two. @returns the moves that make the target, or null when given up: never where it begins. */
  explore(numbers: readonly number[], begins = true): CountdownStep[] | null {
    if (numbers.length === 2) {
      const last = this.#finish(numbers);
      return last && [last];
    }
    const most = this.#tries(!this.#states.solvable(numbers), begins);
    let untried = this.#states.moves(numbers).filter(({ rest }) => !this.#seen.has(keyOf(rest)));
    for (let tried = 0; tried < most && untried.length > 0; tried++) {
      const since = this.#lines.length;
      if (tried > 0) this.#write(`back ${listed(numbers)}`, 'detour');
      this.#tryUneven(numbers);
      const move = this.#choose(untried, begins);
      const vain = !this.#states.solvable(move.rest);
      if (!this.#restless) untried = untried.filter((other) => other !== move);
      else if (vain) {
        // Else it is only left for the time being, and may be met again.
        this.#seen.add(keyOf(move.rest));
        untried = untried.filter(({ rest }) => !this.#seen.has(keyOf(rest)));
      }
      this.#write(`${moveText(move)} left ${listed(move.rest)}`, 'path', true, this.#unlearnt(move, vain));
      const behind = this.explore(move.rest, false);
      if (behind) return [move, ...behind];
      this.#failures++;
      for (const line of this.#lines.slice(since)) line.role = 'detour';
    }
    return null;
  }

  /** A move with a wrong result, behind which the target seems to be made; null where none was found. */
  #slip(numbers: readonly number[]): { right: Move; wrong: Move } | null {
    for (const right of this.#random.shuffle(this.#states.moves(numbers))) {
      for (const slip of this.#random.shuffle(SLIPS)) {
        const result = right.result + slip;
        const rest = [...right.rest.slice(0, -1), result];
        if (result < 1 || !this.#states.solvable(rest)) continue;
        return { right, wrong: { ...right, result, rest } };
      }
    }
    return null;
  }

  /** Moves that lead on, without a detour. */
  #walk(numbers: readonly number[], count: number): Move[] {
    const moves: Move[] = [];
    for (let left = numbers; moves.length < count; ) {
      const good = this.#states.moves(left).filter(({ rest }) => this.#states.solvable(rest));
      const move = this.#random.pick(good);
      moves.push(move);
      left = move.rest;
    }
    for (const move of moves) this.#writeMove(move);
    return moves;
  }

  #writeMove(move: Move, sound = true): void {
    const end = move.rest.length === 1 ? 'yes' : `left ${listed(move.rest)}`;
    this.#write(`${moveText(move)} ${end}`, 'path', sound);
  }

  /** Comes to an end by a miscalculation, looks again, and goes on from before it. */
  late(numbers: readonly number[]): CountdownStep[] | null {
    const before = this.#walk(numbers, this.#random.below(numbers.length - 1));
    const state = before.at(-1)?.rest ?? numbers;
    const slip = this.#slip(state);
    if (!slip) return null;
    this.#writeMove(slip.wrong, false);
    this.#walk(slip.wrong.rest, slip.wrong.rest.length - 1);
    this.#write(`Wait, ${[...before, slip.right].map(moveText).join(', ')} no`, 'path');
    this.#write(`back ${listed(state)}`, 'path');
    const behind = this.explore(state);
    return behind && [...before, ...behind];
  }

  recheck(steps: readonly CountdownStep[]): void {
    this.#write(`Wait, ${steps.map(moveText).join(', ')} yes`, 'path');
  }

  get steps(): readonly Step[] {
    return this.#lines;
  }
}

/** @returns null where `late` is asked for and no miscalculation would seem to make the target. */
export function searchCountdown(
  numbers: readonly number[],
  target: number,
  random: Random,
  reconsidering: Reconsidering,
  manner: Manner = {},
): Trace | null {
  const search = new Search(numbers, target, random, manner);
  const steps = reconsidering === 'late' ? search.late(numbers) : search.explore(numbers);
  if (!steps) return null;
  if (reconsidering === 'recheck') search.recheck(steps);
  return { steps: search.steps, answer: formatSteps(steps) };
}
