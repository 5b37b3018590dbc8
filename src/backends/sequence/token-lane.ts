/** What every lane does whose tokens are kept here and sent along: it holds, checks, forks and truncates them. */
import type { AttentionPolicy, Lane, TokenIds } from '../../engine/types.ts';
import { checkNumber, ReckonError } from '../../errors.ts';
import { CountLedger } from './counts.ts';

const DENSE: AttentionPolicy = { kind: 'dense' };

/** What such a lane asks of its engine. */
export interface TokenLaneHost {
  readonly ledger: CountLedger;
  readonly capacity: { readonly maxContext: number };
  /** @throws ReckonError `bad-option` for tokens that the model does not have. */
  tokensOf(input: TokenIds | string): number[];
  open(tokens: readonly number[]): Lane;
  /** @throws ReckonError `unsupported` for any policy but a dense one. */
  checkPolicy(policy: AttentionPolicy): void;
}

export abstract class TokenLane<Host extends TokenLaneHost> {
  readonly id: number;
  readonly ledger: CountLedger;
  protected readonly engine: Host;
  protected readonly held: number[];
  protected busy = false;
  protected disposed = false;

  constructor(engine: Host, id: number, tokens: readonly number[] = []) {
    this.engine = engine;
    this.id = id;
    this.held = [...tokens];
    this.ledger = new CountLedger(engine.ledger);
  }

  get length(): number {
    return this.held.length;
  }

  get tokens(): TokenIds {
    return this.held;
  }

  get attention(): AttentionPolicy {
    return DENSE;
  }

  set attention(policy: AttentionPolicy) {
    this.engine.checkPolicy(policy);
  }

  /** Computed with whatever is asked for next: until then it costs nothing. */
  async append(input: TokenIds | string): Promise<void> {
    this.ready('append');
    const added = this.engine.tokensOf(input);
    this.checkRoom(added.length);
    for (const token of added) this.held.push(token);
  }

  fork(count: number): Lane[] {
    this.ready('fork');
    checkNumber('fork count', count, { min: 0, integer: true });
    return Array.from({ length: count }, () => this.engine.open(this.held));
  }

  truncate(length: number): void {
    this.ready('truncate');
    this.held.length = checkNumber('truncate length', length, { min: 0, max: this.length, integer: true });
  }

  /** How many tokens a generation may draw: up to `maxTokens`, and no more than there is room for. */
  protected mostOf(maxTokens: number | undefined): number {
    const room = this.engine.capacity.maxContext - this.length;
    return Math.min(
      room,
      maxTokens === undefined ? room : checkNumber('maxTokens', maxTokens, { min: 1, integer: true }),
    );
  }

  /** Does `work`, which looks at `more` tokens behind the lane's; nothing else meanwhile. */
  protected async working<T>(what: string, more: number, work: () => Promise<T>): Promise<T> {
    this.started(what);
    this.checkRoom(more);
    this.busy = true;
    try {
      return await work();
    } finally {
      this.busy = false;
    }
  }

  /** Ready, and with a token to go on from. */
  protected started(what: string): void {
    this.ready(what);
    if (this.length > 0) return;
    throw new ReckonError('bad-option', `${what}() on an empty lane; there is nothing to go on from.`, {
      hint: 'Append a prompt first.',
    });
  }

  protected ready(what: string): void {
    if (this.disposed) {
      throw new ReckonError('lane-disposed', `${what}() on lane ${this.id}, which was disposed.`, {
        hint: 'Open or fork a new lane.',
      });
    }
    if (!this.busy) return;
    throw new ReckonError('lane-busy', `${what}() on lane ${this.id} while it is still working.`, {
      hint: 'A lane does one thing at a time: await what it does, or end the generation first.',
    });
  }

  /** The error of what was under way when the lane was disposed. */
  protected dropped(): ReckonError {
    return new ReckonError('lane-disposed', `Lane ${this.id} was disposed while it was working.`, {
      hint: 'Open or fork a new lane.',
    });
  }

  private checkRoom(more: number): void {
    const { maxContext } = this.engine.capacity;
    if (this.length + more <= maxContext) return;
    throw new ReckonError(
      'over-capacity',
      `The lane would hold ${this.length + more} tokens; its context ends at ${maxContext}.`,
      { hint: 'Shorten the prompt, truncate the lane, or use a model or server with a longer context.' },
    );
  }
}
