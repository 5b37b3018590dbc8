/** What all benchmarks understand, and how they print. */
import { type Options, readOptions } from '../src/cli/options.ts';
import { ReckonError } from '../src/errors.ts';

type Specs = Parameters<typeof readOptions>[1];

/** Options of every benchmark: text of its usage. */
export const COMMON_HELP = `  --driver D        auto | system | software
  --json            JSON on stdout
`;

/** One benchmark: what `npm run bench -- NAME` runs. */
export interface Bench {
  readonly summary: string;
  readonly help: string;
  readonly options: Specs;
  /** Measures, and returns what is printed. */
  run(options: Options): Promise<BenchOutput>;
}

export interface BenchOutput {
  /** For programs (`--json`). */
  readonly data: unknown;
  /** For people. */
  readonly text: string;
}

/** Parses the options of `bench` and those that all have. @throws ReckonError `bad-option` */
export function benchOptions(bench: Bench, args: string[]): Options {
  const flag = { type: 'boolean' } as const;
  return readOptions(args, { ...bench.options, driver: { type: 'string' }, json: flag, help: flag });
}

/** A whole number from 1, or `fallback`. */
export function count(options: Options, name: string, fallback: number): number {
  return options.number(name, { min: 1, integer: true }) ?? fallback;
}

/** "1,2,4" → [1, 2, 4]. @throws ReckonError `bad-option` */
export function counts(options: Options, name: string, fallback: readonly number[]): number[] {
  const text = options.text(name);
  if (text === undefined) return [...fallback];
  const values = text.split(',').map(Number);
  if (values.length === 0 || values.some((value) => !Number.isInteger(value) || value < 1)) {
    throw new ReckonError(
      'bad-option',
      `--${name} is ${JSON.stringify(text)}; it must be whole numbers with commas between.`,
    );
  }
  return values;
}

/** Which driver to open. */
export function driverOf(options: Options): 'auto' | 'system' | 'software' {
  return options.oneOf('driver', ['auto', 'system', 'software']) ?? 'auto';
}
