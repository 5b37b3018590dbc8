/**
 * A lane as plain data: what its tokens depend on, so that another engine of the same model goes on with the same bits. KV is not
 * in it; it is computed again when it is needed. Draws are keyed by seed and position, so that a stream of random numbers
 * has no state beyond the lane's length: whoever goes on gives `generate` the seed it began with.
 */
import { ReckonError } from '../errors.ts';
import { isHistory, type PlainHistory } from './policy-history.ts';
import type { AttentionPolicy } from './types.ts';

/**
 * What the bits of an engine's KV depend on, by name: model, revision, precisions, kind of summary. A journal, like a cached prefix, is valid
 * where all of them are equal.
 */
export type EngineIdentity = Readonly<Record<string, string>>;

/** What a lane has to be told to be itself again. */
export interface LaneState {
  readonly tokens: readonly number[];
  /** The first this many tokens were given, not generated. */
  readonly given: number;
  readonly attention: AttentionPolicy;
  /** Under which policies the KV of its tokens was computed; the last one's is not known while a lane rests. */
  readonly history: PlainHistory;
}

/** Plain data, safe in JSON and structured clones. About six bytes a token as JSON. */
export interface LaneJournal extends LaneState {
  readonly version: 1;
  readonly engine: EngineIdentity;
  /** Over all the rest: a journal that was cut or changed is told. */
  readonly checksum: number;
}

const VERSION = 1;

/** The journal of a lane of the engine called `engine`. Without a history: of one whose KV does not depend on policies. */
export function writeJournal(
  engine: EngineIdentity,
  { tokens, given, attention, history = { length: 0, ranges: [] } }: Omit<LaneState, 'history'> & Partial<LaneState>,
): LaneJournal {
  const journal = { version: VERSION, engine: { ...engine }, tokens: [...tokens], given, attention, history } as const;
  return { ...structuredClone(journal), checksum: checksumOf(journal) };
}

/**
 * The state in a journal, checked: nothing that was read from somewhere is trusted.
 * @param vocabulary token ids are below this.
 * @param maxContext most tokens that a lane of this engine holds.
 * @throws ReckonError `bad-journal` for one that is damaged, of another version, or of another model, revision, precision or
 *   kind of summary; `over-capacity` for a lane that is too long for this engine.
 */
export function readJournal(
  value: unknown,
  engine: EngineIdentity,
  { vocabulary, maxContext }: { vocabulary: number; maxContext: number },
): LaneState {
  const journal = asJournal(value);
  if (journal.checksum !== checksumOf(journal)) {
    throw damaged('its checksum does not match its content');
  }
  const differing = [...new Set([...Object.keys(engine), ...Object.keys(journal.engine)])].find(
    (name) => engine[name] !== journal.engine[name],
  );
  if (differing !== undefined) {
    const [was, is] = [journal.engine[differing], engine[differing]];
    throw new ReckonError(
      'bad-journal',
      `The journal was written with ${differing} ${JSON.stringify(was ?? null)}; this engine has ${JSON.stringify(is ?? null)}.`,
      {
        hint: 'Load the model that it was written with, or append its tokens to a new lane and accept other continuations.',
        details: { name: differing, journal: was ?? null, engine: is ?? null },
      },
    );
  }
  const { tokens, given, attention, history } = journal;
  const stray = tokens.find((token) => !(Number.isInteger(token) && token >= 0 && token < vocabulary));
  if (stray !== undefined) throw damaged(`${stray} is not a token of the model`);
  if (!(Number.isInteger(given) && given >= 0 && given <= tokens.length)) {
    throw damaged(`of its ${tokens.length} tokens, ${given} are said to be given`);
  }
  if (tokens.length > maxContext) {
    throw new ReckonError(
      'over-capacity',
      `The journal holds ${tokens.length} tokens; a lane of this engine holds ${maxContext}.`,
      { hint: 'Load the model with a longer context, or with more memory for KV (kvBytes).' },
    );
  }
  if (!isHistory(history, Math.max(0, tokens.length - 1))) throw damaged('its history of policies makes no sense');
  return structuredClone({ tokens, given, attention, history });
}

function asJournal(value: unknown): LaneJournal {
  if (typeof value !== 'object' || value === null) throw damaged(`it is ${value === null ? 'null' : typeof value}`);
  const { version, engine, tokens, attention } = value as Partial<LaneJournal>;
  if (version !== VERSION) {
    throw new ReckonError(
      'bad-journal',
      `The journal is of version ${JSON.stringify(version ?? null)}; ${VERSION} is known.`,
      { hint: 'Read it with the release that wrote it.', details: { version: version ?? null } },
    );
  }
  if (!Array.isArray(tokens)) throw damaged('it has no list of tokens');
  if (typeof engine !== 'object' || engine === null) throw damaged('it does not say which model it is of');
  if (typeof attention !== 'object' || attention === null || typeof attention.kind !== 'string') {
    throw damaged('it has no attention policy');
  }
  return value as LaneJournal;
}

function damaged(why: string): ReckonError {
  return new ReckonError('bad-journal', `The journal of a lane is damaged: ${why}.`, {
    hint: 'Take another copy; a part of it cannot be trusted.',
  });
}

/** FNV-1a of the content as text, its names in order: a store may have reordered them. */
function checksumOf(journal: Omit<LaneJournal, 'checksum'>): number {
  const { version, engine, tokens, given, attention, history } = journal;
  const text = JSON.stringify([version, tokens, given, ordered(engine), ordered(attention), ordered(history)]);
  let hash = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0;
  return hash;
}

/** Plain data with the names of all its objects in order. */
function ordered(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(ordered);
  if (typeof value !== 'object' || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([name, part]) => [name, ordered(part)]);
}
