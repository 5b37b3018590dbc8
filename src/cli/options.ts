/** Command-line options: `node:util` parses, this checks and says what is wrong in a sentence. */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import type { LoadOptions } from '../api/types.ts';
import { checkNumber, ReckonError } from '../errors.ts';
import { LENGTH_CHOICES, type LengthChoice } from '../tasks/index.ts';

type OptionSpecs = NonNullable<ParseArgsConfig['options']>;

/** Parsed options; `undefined` where not given. */
export class Options {
  readonly #values: Record<string, unknown>;

  constructor(values: Record<string, unknown>) {
    this.#values = values;
  }

  /** The same with another value for one of them. */
  with(name: string, value: string): Options {
    return new Options({ ...this.#values, [name]: value });
  }

  flag(name: string): boolean {
    return this.#values[name] === true;
  }

  text(name: string): string | undefined {
    const value = this.#values[name];
    return typeof value === 'string' ? value : undefined;
  }

  /** @throws ReckonError `bad-option` when it is not one of `allowed`. */
  oneOf<T extends string>(name: string, allowed: readonly T[]): T | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    const found = allowed.find((item) => item === value);
    if (found === undefined) {
      throw new ReckonError(
        'bad-option',
        `--${name} is ${JSON.stringify(value)}; it must be one of ${allowed.join(', ')}.`,
      );
    }
    return found;
  }

  /**
   * "a,b" as members of `allowed`, each once; undefined where not given.
   * @throws ReckonError `bad-option` when one of them is not, or stands there twice.
   */
  someOf<T extends string>(name: string, allowed: readonly T[]): T[] | undefined {
    const found = this.text(name)
      ?.split(',')
      .map((item) => this.with(name, item.trim()).oneOf(name, allowed) as T);
    if (found && new Set(found).size < found.length) {
      throw new ReckonError(
        'bad-option',
        `--${name} is ${JSON.stringify(this.text(name))}, which names the same twice.`,
      );
    }
    return found;
  }

  /** @throws ReckonError `bad-option` when it is not a number in the range. */
  number(name: string, range: { min: number; max?: number; integer?: boolean }): number | undefined {
    const value = this.text(name);
    if (value === undefined) return undefined;
    return checkNumber(`--${name}`, value.trim() === '' ? Number.NaN : Number(value), range);
  }
}

/**
 * `--precision` for weights and KV, `--kv` for the KV alone, `--weights` for what weights are quantised to, as load options.
 * @throws ReckonError `bad-option` when one of them is none that the engine has.
 */
export function precisionOptions(options: Options): Pick<LoadOptions, 'precision' | 'quantize'> {
  const both = options.oneOf('precision', ['f16', 'f32']);
  const kv = options.oneOf('kv', ['f16', 'f32', 'int8']) ?? both;
  const quantize = options.oneOf('weights', ['4bit', '8bit']);
  return {
    ...(both || kv ? { precision: { ...(both ? { weights: both } : {}), ...(kv ? { kv } : {}) } } : {}),
    ...(quantize ? { quantize } : {}),
  };
}

/**
 * `--length`, or `auto`.
 * @throws ReckonError `bad-option` for any other length.
 */
export function lengthOption(options: Options): LengthChoice {
  return options.oneOf('length', LENGTH_CHOICES) ?? 'auto';
}

/** @throws ReckonError `bad-option` for unknown options and stray words. */
export function readOptions(args: string[], options: OptionSpecs): Options {
  return read(args, options, false).options;
}

/** As `readOptions`, for a command that takes words, too. */
export function readCommand(args: string[], options: OptionSpecs): { options: Options; words: string[] } {
  return read(args, options, true);
}

function read(args: string[], options: OptionSpecs, allowPositionals: boolean): { options: Options; words: string[] } {
  try {
    const { values, positionals } = parseArgs({ args, options, allowPositionals, strict: true });
    return { options: new Options(values), words: positionals };
  } catch (error) {
    throw new ReckonError('bad-option', `${(error as Error).message.split('.')[0]}.`, {
      hint: '--help tells the options.',
    });
  }
}
