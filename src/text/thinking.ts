/** The part of a reply that is thinking: where it begins and ends in the dialects of reasoning models. */
import type { ChatTemplate } from './chat.ts';
import { renderChat } from './chat.ts';
import { openSuffix } from './stop-strings.ts';
import type { Tokenizer } from './tokenizer.ts';

/** How a model marks its thinking. */
export interface ThinkingDialect {
  readonly thinks: boolean;
  /** The chat template has opened the thinking already: the reply begins inside it. */
  readonly opened: boolean;
  /** The marker that begins the thinking: "<think>". */
  readonly open: string;
  /** The marker that ends it: "</think>". */
  readonly marker: string;
  /** What ends the thinking when it is forced: the marker, with the text the model was trained to put around it. */
  readonly close: string;
}

export type ReplyPart = 'thinking' | 'answer';

export interface ReplyPiece {
  readonly part: ReplyPart;
  readonly text: string;
}

/** Markers in use, the commonest first. */
const MARKERS: readonly (readonly [open: string, close: string])[] = [
  ['<think>', '</think>'],
  ['<thinking>', '</thinking>'],
  ['<reasoning>', '</reasoning>'],
  ['<seed:think>', '</seed:think>'],
  ['[THINK]', '[/THINK]'],
  ['<|begin_of_thought|>', '<|end_of_thought|>'],
  ['◁think▷', '◁/think▷'],
];

const SILENT: ThinkingDialect = {
  thinks: false,
  opened: false,
  open: '<think>',
  marker: '</think>',
  close: '\n</think>\n',
};

/** True when a prompt ends inside the thinking that it opens. */
export function promptOpensThinking(prompt: string, dialect: Pick<ThinkingDialect, 'open'>): boolean {
  return prompt.trimEnd().endsWith(dialect.open);
}

/**
 * Finds a model's dialect: by the markers that its template writes or its tokenizer has as tokens of their own, and by
 * rendering a short conversation. A model with neither does not think.
 * @param markers What the model writes around its thinking, where somebody knows; then nothing is looked for.
 */
export function detectDialect(
  chat: ChatTemplate,
  tokenizer: Pick<Tokenizer, 'added'>,
  markers?: readonly [open: string, close: string],
): ThinkingDialect {
  const source = chat.source ?? '';
  const found =
    markers ??
    MARKERS.find(
      ([open, close]) =>
        source.includes(open) || source.includes(close) || (tokenizer.added.has(open) && tokenizer.added.has(close)),
    );
  if (!found) return SILENT;
  const [open, marker] = found;
  // Templates spell new lines as such or as escapes in Jinja strings; two behind the marker are Qwen's and DeepSeek's habit.
  const blankLine = source.replaceAll('\\n', '\n').includes(`${marker}\n\n`);
  return {
    thinks: true,
    opened: promptOpensThinking(samplePrompt(chat), { open }),
    open,
    marker,
    close: `\n${marker}${blankLine ? '\n\n' : '\n'}`,
  };
}

/** A short prompt; empty for a template that refuses even that, which will say so when it is used. */
function samplePrompt(chat: ChatTemplate): string {
  if (!chat.template) return '';
  try {
    return renderChat(chat, [{ role: 'user', content: '?' }]);
  } catch {
    return '';
  }
}

/**
 * Splits a streamed reply into thinking and answer. Markers are dropped, and so are line breaks beside them; markers may be
 * cut anywhere. What comes out does not depend on how the text was cut.
 */
export class ThinkingParser {
  readonly #dialect: ThinkingDialect;
  /** `start`: nothing but space yet; `inner`, `outer`: right behind a marker, where line breaks are dropped. */
  #state: 'start' | 'inner' | 'thinking' | 'outer' | 'answer';
  #held = '';

  constructor(dialect: ThinkingDialect) {
    this.#dialect = dialect;
    this.#state = dialect.thinks ? 'start' : 'answer';
  }

  /** The part that text would belong to now. */
  get part(): ReplyPart {
    if (this.#state === 'start') return this.#dialect.opened ? 'thinking' : 'answer';
    return this.#state === 'inner' || this.#state === 'thinking' ? 'thinking' : 'answer';
  }

  push(text: string): ReplyPiece[] {
    this.#held += text;
    const pieces: ReplyPiece[] = [];
    while (this.#step(pieces, false));
    return pieces;
  }

  /** What was held back, at the end of the reply. */
  flush(): ReplyPiece[] {
    const pieces: ReplyPiece[] = [];
    while (this.#step(pieces, true));
    return pieces;
  }

  /** Does what the held text allows in this state. True when the state changed, so that there may be more to do. */
  #step(pieces: ReplyPiece[], ended: boolean): boolean {
    switch (this.#state) {
      case 'start':
        return this.#begin(ended);
      case 'inner':
      case 'outer':
        return this.#dropLineBreaks();
      case 'thinking':
        return this.#think(pieces, ended);
      case 'answer':
        this.#give(pieces, 'answer', this.#held.length);
        return false;
    }
  }

  /** Decides whether the reply begins with the opening marker, also where the template has written one before it. */
  #begin(ended: boolean): boolean {
    const { open, opened } = this.#dialect;
    const text = this.#held.trimStart();
    if (text.startsWith(open)) {
      this.#held = text.slice(open.length);
      this.#state = 'inner';
      return true;
    }
    if (!ended && open.startsWith(text)) return false;
    this.#state = opened ? 'inner' : 'answer';
    return true;
  }

  #dropLineBreaks(): boolean {
    this.#held = this.#held.replace(/^[\r\n]+/, '');
    if (this.#held === '') return false;
    this.#state = this.#state === 'inner' ? 'thinking' : 'answer';
    return true;
  }

  #think(pieces: ReplyPiece[], ended: boolean): boolean {
    const { marker } = this.#dialect;
    const at = this.#held.indexOf(marker);
    if (at >= 0) {
      this.#give(pieces, 'thinking', trimmedLength(this.#held, at));
      this.#held = this.#held.slice(this.#held.indexOf(marker) + marker.length);
      this.#state = 'outer';
      return true;
    }
    const open = ended ? 0 : openSuffix(this.#held, [marker]);
    const ready = ended ? this.#held.length : trimmedLength(this.#held, this.#held.length - open);
    this.#give(pieces, 'thinking', ready);
    return false;
  }

  #give(pieces: ReplyPiece[], part: ReplyPart, length: number): void {
    if (length > 0) pieces.push({ part, text: this.#held.slice(0, length) });
    this.#held = this.#held.slice(length);
  }
}

/** Length of `text` up to `end` without the line breaks right before it. */
function trimmedLength(text: string, end: number): number {
  let length = end;
  while (length > 0 && (text[length - 1] === '\n' || text[length - 1] === '\r')) length -= 1;
  return length;
}

export interface ParsedReply {
  readonly thinking: string;
  readonly answer: string;
  /** The thinking has ended, or there was none. */
  readonly closed: boolean;
}

/** A whole reply, as `ThinkingParser` splits it. */
export function parseThinking(text: string, dialect: ThinkingDialect): ParsedReply {
  const parser = new ThinkingParser(dialect);
  const joined = { thinking: '', answer: '' };
  for (const { part, text: piece } of [...parser.push(text), ...parser.flush()]) joined[part] += piece;
  return { ...joined, closed: parser.part === 'answer' };
}
