/** Reads a checkpoint's JSON files and their fields, with errors that name file, field, value and what it must be. */
import { ReckonError } from '../errors.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** @throws ReckonError `bad-checkpoint` when `text` is not a JSON object. */
export function parseJson(text: string, file: string): JsonObject {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const page = text.trimStart().startsWith('<');
    throw new ReckonError('bad-checkpoint', `${file} is not JSON${page ? ' but a web page' : ''}.`, {
      hint: page ? 'The server probably does not have the file: check the model address.' : 'Download it again.',
      details: { file },
      cause,
    });
  }
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonObject;
  throw new ReckonError('bad-checkpoint', `${file} is not a JSON object.`, {
    hint: 'Download it again.',
    details: { file },
  });
}

export interface NumberRule {
  min: number;
  max: number;
  integer?: boolean;
  /** The value must be a multiple of this. */
  multiple?: number;
  /** Stands in for a field that is missing or null; without it the field is required. */
  fallback?: number;
}

/** Fields of one JSON object, read with rules. */
export class Fields {
  readonly #json: JsonObject;
  readonly #file: string;

  constructor(json: JsonObject, file: string) {
    this.#json = json;
    this.#file = file;
  }

  /** The raw value; inherited properties do not count. */
  raw(name: string): unknown {
    return Object.hasOwn(this.#json, name) ? this.#json[name] : undefined;
  }

  error(name: string, must: string): ReckonError {
    const value = this.raw(name);
    const shown = value === undefined ? 'is missing' : `is ${(JSON.stringify(value) ?? 'undefined').slice(0, 80)}`;
    return new ReckonError('bad-checkpoint', `${this.#file}: ${name} ${shown}; it must be ${must}.`, {
      hint: 'The file is damaged or of a model that Reckon does not know.',
      details: { file: this.#file, field: name, value },
    });
  }

  number(name: string, rule: NumberRule): number {
    const value = this.raw(name) ?? rule.fallback;
    const { min, max, integer = false, multiple } = rule;
    const ok = typeof value === 'number' && value >= min && value <= max && (!integer || Number.isInteger(value));
    if (ok && (multiple === undefined || value % multiple === 0)) return value;
    const kind = multiple !== undefined ? `a multiple of ${multiple}` : integer ? 'a whole number' : 'a number';
    throw this.error(name, `${kind} from ${min} to ${max}`);
  }

  boolean(name: string, fallback: boolean): boolean {
    const value = this.raw(name) ?? fallback;
    if (typeof value === 'boolean') return value;
    throw this.error(name, 'true or false');
  }
}
