/**
 * Token ids for a trainer that knows no tokenizer. Little-endian, examples one behind the other:
 *
 *   PREFIX.bin    ids, 16 bits each
 *   PREFIX.mask   8 bits a token: 1 where it is learnt, 0 where it is only read
 *   PREFIX.idx    32 bits each: where example i begins, then the number of tokens
 *   PREFIX.json   what it is: counts, seed, mix, vocabulary
 */
import { closeSync, openSync, writeFileSync, writeSync } from 'node:fs';

/** Bytes gathered before they are written. */
const CHUNK = 1 << 20;

class Appender {
  readonly #file: number;
  readonly #chunk = Buffer.alloc(CHUNK);
  #used = 0;

  constructor(path: string) {
    this.#file = openSync(path, 'w');
  }

  number(value: number, bytes: 1 | 2 | 4): void {
    if (this.#used + bytes > CHUNK) this.#flush();
    this.#chunk.writeUIntLE(value, this.#used, bytes);
    this.#used += bytes;
  }

  #flush(): void {
    for (let at = 0; at < this.#used; ) at += writeSync(this.#file, this.#chunk, at, this.#used - at);
    this.#used = 0;
  }

  close(): void {
    this.#flush();
    closeSync(this.#file);
  }
}

export class TokenFiles {
  readonly #prefix: string;
  readonly #ids: Appender;
  readonly #mask: Appender;
  readonly #index: Appender;
  #tokens = 0;
  #learnt = 0;
  #examples = 0;
  #longest = 0;

  constructor(prefix: string) {
    this.#prefix = prefix;
    this.#ids = new Appender(`${prefix}.bin`);
    this.#mask = new Appender(`${prefix}.mask`);
    this.#index = new Appender(`${prefix}.idx`);
  }

  add(ids: readonly number[], learnt: readonly boolean[]): void {
    this.#index.number(this.#tokens, 4);
    for (const [i, id] of ids.entries()) {
      this.#ids.number(id, 2);
      this.#mask.number(learnt[i] ? 1 : 0, 1);
      if (learnt[i]) this.#learnt++;
    }
    this.#examples++;
    this.#tokens += ids.length;
    this.#longest = Math.max(this.#longest, ids.length);
  }

  /** Ends the files; `about` joins the counts in the JSON. */
  close(about: Record<string, unknown>): void {
    this.#index.number(this.#tokens, 4);
    for (const file of [this.#ids, this.#mask, this.#index]) file.close();
    const head = {
      format: 'reckon-corpus',
      version: 1,
      examples: this.#examples,
      tokens: this.#tokens,
      learnt: this.#learnt,
      longest: this.#longest,
      ...about,
    };
    writeFileSync(`${this.#prefix}.json`, `${JSON.stringify(head, null, 2)}\n`);
  }
}
