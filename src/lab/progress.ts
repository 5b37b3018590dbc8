/** How far an experiment is, and how long it will still take. */
import type { Unit } from './units.ts';

export interface LabProgress {
  readonly unitsDone: number;
  readonly unitsTotal: number;
  readonly samplesDone: number;
  readonly samplesTotal: number;
  /** Of the samples done, those whose answer is right. */
  readonly samplesRight: number;
  /** Units that an earlier session had done. */
  readonly resumed: number;
  /** Tokens generated in this session. */
  readonly tokens: number;
  /** Of this session. */
  readonly seconds: number;
  /** Null until there is something to go by. */
  readonly secondsLeft: number | null;
}

interface Mean {
  sum: number;
  count: number;
}

function add(means: Map<string, Mean>, key: string, sum: number, count: number): void {
  const mean = means.get(key) ?? { sum: 0, count: 0 };
  mean.sum += sum;
  mean.count += count;
  means.set(key, mean);
}

/**
 * Time left by tokens: those that the remaining units will take, going by the ended ones that are most like them, over the
 * tokens a second of this session.
 */
export class ProgressMeter {
  readonly #open: Map<string, Unit>;
  readonly #answer: number;
  readonly #now: () => number;
  readonly #started: number;
  readonly #total: { units: number; samples: number };
  /** Tokens a sample took, by group of problems and limit, and by limit. */
  readonly #means = new Map<string, Mean>();
  /** Tokens that units under way have generated. */
  readonly #streamed = new Map<string, number>();
  #resumed = 0;
  #right = 0;
  #tokens = 0;

  /**
   * @param answer most tokens of an answer: what stands for a unit's length until one like it has ended.
   * @param now milliseconds of any clock that does not go back.
   */
  constructor(units: readonly Unit[], answer: number, now: () => number = () => performance.now()) {
    this.#open = new Map(units.map((unit) => [unit.id, unit]));
    this.#answer = answer;
    this.#now = now;
    this.#started = now();
    this.#total = { units: units.length, samples: units.reduce((sum, unit) => sum + unit.samples, 0) };
  }

  token(unit: Unit): void {
    this.#tokens++;
    this.#streamed.set(unit.id, (this.#streamed.get(unit.id) ?? 0) + 1);
  }

  /** The unit is to be run again from its start. */
  restart(unit: Unit): void {
    this.#streamed.delete(unit.id);
  }

  done(unit: Unit, samples: readonly { readonly tokens: number; readonly correct: boolean }[], resumed = false): void {
    this.#open.delete(unit.id);
    this.#streamed.delete(unit.id);
    if (resumed) this.#resumed++;
    const tokens = samples.reduce((sum, sample) => sum + sample.tokens, 0);
    this.#right += samples.filter((sample) => sample.correct).length;
    for (const key of keysOf(unit)) add(this.#means, key, tokens, samples.length);
  }

  report(): LabProgress {
    const open = [...this.#open.values()];
    const seconds = (this.#now() - this.#started) / 1000;
    const left = open.reduce((sum, unit) => sum + this.#tokensLeft(unit), 0);
    const known = open.length === 0 || (this.#tokens > 0 && seconds > 0);
    return {
      unitsDone: this.#total.units - open.length,
      unitsTotal: this.#total.units,
      samplesDone: this.#total.samples - open.reduce((sum, unit) => sum + unit.samples, 0),
      samplesTotal: this.#total.samples,
      samplesRight: this.#right,
      resumed: this.#resumed,
      tokens: this.#tokens,
      seconds,
      secondsLeft: known ? (open.length === 0 ? 0 : (left * seconds) / this.#tokens) : null,
    };
  }

  #tokensLeft(unit: Unit): number {
    const mean = keysOf(unit)
      .map((key) => this.#means.get(key))
      .find((found) => found !== undefined);
    const each = mean ? mean.sum / mean.count : unit.thinking + this.#answer;
    return Math.max(0, each * unit.samples - (this.#streamed.get(unit.id) ?? 0));
  }
}

/** From the most to the least alike. */
function keysOf({ problem, thinking }: Unit): string[] {
  return [`${problem.task}/${problem.difficulty}/${thinking}`, `${thinking}`];
}
