/** One file on its way: what is missing is fetched in parts, written in place, noted in the journal, checked. */
import { throwIfAborted } from '../../errors.ts';
import type { Reply } from '../http/client.ts';
import type { Connection } from '../http/connection.ts';
import { retrying } from '../http/retry.ts';
import { requestError } from '../http/status.ts';
import type { Disk, DiskWriter } from '../store/disk.ts';
import { Intervals } from '../store/intervals.ts';
import type { FileState, Journal } from '../store/journal.ts';
import { FollowingChecksum } from './checksum.ts';
import { ChangedFile, changesAgain, corrupt, NoRanges } from './errors.ts';
import { allOrNone, type Slots } from './slots.ts';

export interface FileJob {
  readonly disk: Disk;
  readonly journal: Journal;
  readonly state: FileState;
  /** Where it goes on the disk, and where it comes from. */
  readonly path: string;
  readonly url: string;
  readonly connection: Connection;
  readonly slots: Slots;
  /** Most bytes that one request asks for. */
  readonly partBytes: number;
  /** Most bytes and seconds between two notes in the journal. */
  readonly noteBytes: number;
  readonly noteSeconds: number;
  readonly signal: AbortSignal;
  /** Bytes came in, or the count of what is here has changed. */
  readonly onBytes: (received: number) => void;
}

/** How often a file may turn out to have changed on its server before it is given up. */
const MAX_CHANGES = 2;

export class FileDownload {
  readonly #job: FileJob;
  /** What is written, which the journal learns of a little later. */
  #here: Intervals;
  #unnoted = new Intervals();
  #noted = 0;
  #writer: Promise<DiskWriter> | null = null;
  #opened: DiskWriter | null = null;
  #checksum: FollowingChecksum | null = null;
  #rangeless = false;
  #fetchedTwice = false;

  constructor(job: FileJob) {
    this.#job = job;
    this.#here = new Intervals();
    for (const { start, end } of job.state.here.ranges) this.#here.add(start, end);
  }

  /** Bytes here. */
  get bytes(): number {
    return this.#here.size;
  }

  /** Fetches what is missing, checks the whole. @throws ReckonError `network`, `access-denied`, `corrupt-download`, `storage`, `aborted`. */
  async run(): Promise<void> {
    const { state, journal } = this.#job;
    if (state.verified) return;
    try {
      for (let changes = 0; ; ) {
        try {
          await this.#fetchMissing();
        } catch (error) {
          if (!(error instanceof ChangedFile)) throw error;
          if (++changes > MAX_CHANGES) throw changesAgain(state.path);
          await this.#restart(error.now);
          continue;
        }
        const found = await this.#mismatch();
        if (found === null) break;
        if (this.#fetchedTwice && state.digest) throw corrupt(state.path, state.digest, found);
        this.#fetchedTwice = true;
        await this.#restart(state);
      }
      await journal.add({ verified: state.path });
    } finally {
      await this.#checksum?.stop();
      await (await this.#writer?.catch(() => null))?.close();
    }
  }

  async #fetchMissing(): Promise<void> {
    const { state, slots, partBytes, signal } = this.#job;
    const writer = await this.#open();
    if (state.size === 0) return this.#finish(writer, 0);
    this.#follow();
    // Files of one part are asked for whole at first: servers may compress them then.
    const whole = state.size === null || (state.size <= partBytes && this.#here.size === 0);
    if (!whole && !this.#rangeless) {
      const parts = [...this.#here.gaps(state.size!, partBytes)];
      const mine = new AbortController();
      const both = AbortSignal.any([signal, mine.signal]);
      try {
        const work = parts.map(({ start, end }) => slots.use(() => this.#fetch({ start, end, part: true }, both)));
        await allOrNone(work, () => mine.abort());
      } catch (error) {
        if (!(error instanceof NoRanges)) throw error;
        this.#rangeless = true;
      }
    }
    if (whole || this.#rangeless) {
      await slots.use(() => this.#fetch({ start: this.#here.prefix, end: state.size, part: false }, signal));
    }
    await this.#finish(writer, state.size!);
  }

  /**
   * Fetches bytes `start` to `end`, trying again from where it got to.
   * @param piece.end null: nobody knows where the file ends.
   * @param piece.part others fetch other parts: a server that sends the whole file instead is not listened to.
   */
  async #fetch(piece: { start: number; end: number | null; part: boolean }, signal: AbortSignal): Promise<void> {
    const { url, connection, state } = this.#job;
    const { client, policy, onRetry } = connection;
    let { start: position, end } = piece;
    const attempt = async (progressed: () => void): Promise<void> => {
      const ranged = !this.#rangeless && (position > 0 || end !== state.size);
      const reply = await client.request(
        url,
        ranged ? { start: position, ...(end === null ? {} : { end }), signal } : { signal },
      );
      if ('beyondEnd' in reply) {
        if (end === null && reply.total === position) return this.#learn({ size: position, etag: state.etag });
        throw this.#beyondEnd(reply.total);
      }
      try {
        await this.#accept(reply, piece.part);
      } catch (error) {
        await reply.close();
        throw error;
      }
      let at = reply.start;
      for await (const chunk of reply.body()) {
        this.#job.onBytes(chunk.length);
        const fresh = chunk.subarray(Math.max(0, position - at), Math.max(0, (end ?? Number.POSITIVE_INFINITY) - at));
        at += chunk.length;
        if (fresh.length > 0) {
          await this.#write(fresh, position);
          position += fresh.length;
          progressed();
        }
        // More than was asked for is of no use.
        if (end !== null && at > end) break;
      }
      if (end === null) {
        if (state.size === null) await this.#learn({ size: position, etag: state.etag });
        end = state.size;
      }
      if (end !== null && position < end) {
        throw requestError(url, `The file ended ${end - position} bytes early`, 'Try again.', { transient: true });
      }
    };
    try {
      await retrying(attempt, { policy, what: `Downloading ${state.path}`, signal, onRetry });
    } finally {
      await this.#note();
    }
  }

  #beyondEnd(total: number | null): Error {
    const { url, state } = this.#job;
    if (total !== null && total !== state.size && !state.digest) return new ChangedFile({ size: total, etag: null });
    return requestError(url, 'The server says that the file is shorter than it is (416)', 'Try again.', {
      status: 416,
      transient: true,
    });
  }

  /**
   * Holds an answer against what is known of the file. With a checksum its publisher has the word: a server that tells of
   * another size is out of order, and copies on several servers may have different names for one state.
   * @throws ChangedFile; NoRanges for a part.
   */
  async #accept(reply: Reply, part: boolean): Promise<void> {
    const { state, url } = this.#job;
    const { total, etag } = reply;
    if (state.size !== null && total !== null && state.size !== total) {
      if (!state.digest) throw new ChangedFile({ size: total, etag });
      const what = `The server sends ${total} bytes of a file that has ${state.size}`;
      throw requestError(url, what, 'Try again.', { transient: true });
    }
    if (!state.digest && state.etag !== null && etag !== null && state.etag !== etag) {
      throw new ChangedFile({ size: total, etag });
    }
    if (part && !reply.partial) throw new NoRanges();
    const now = { size: state.size ?? total, etag: state.etag ?? etag };
    if (now.size !== state.size || now.etag !== state.etag) await this.#learn(now);
  }

  async #learn(now: { size: number | null; etag: string | null }): Promise<void> {
    await this.#job.journal.add({ state: this.#job.state.path, ...now });
  }

  async #write(bytes: Uint8Array, at: number): Promise<void> {
    const { noteBytes, noteSeconds, signal, onBytes } = this.#job;
    throwIfAborted(signal, `Downloading ${this.#job.state.path}`);
    await (await this.#open()).write(bytes, at);
    this.#here.add(at, at + bytes.length);
    this.#unnoted.add(at, at + bytes.length);
    onBytes(0);
    const now = performance.now();
    if (this.#unnoted.size >= noteBytes || now - this.#noted >= noteSeconds * 1000) await this.#note();
  }

  /** Makes what is written safe, and only then says that it is here. */
  async #note(): Promise<void> {
    const { ranges } = this.#unnoted;
    if (ranges.length === 0) return;
    this.#unnoted = new Intervals();
    this.#noted = performance.now();
    await (await this.#open()).flush();
    const { path } = this.#job.state;
    await this.#job.journal.add(...ranges.map(({ start, end }) => ({ here: path, start, end })));
    this.#follow();
  }

  /** Lets the checksum catch up with what is here. */
  #follow(): void {
    const { disk, state } = this.#job;
    if (!state.digest || state.size === null || !this.#opened) return;
    this.#checksum ??= new FollowingChecksum(disk, this.#opened, state.digest, state.size);
    this.#checksum.follow(this.#here.prefix).catch(() => {});
  }

  /** The file has all its bytes: what an older, longer one left behind them goes. */
  async #finish(writer: DiskWriter, size: number): Promise<void> {
    if (writer.size === size) return;
    await writer.resize(size);
    await writer.flush();
  }

  /** What the checksum is, where it is not the publisher's; null where all is well. */
  async #mismatch(): Promise<string | null> {
    const { disk, state } = this.#job;
    if (!state.digest) return null;
    throwIfAborted(this.#job.signal, `Checking ${state.path}`);
    this.#checksum ??= new FollowingChecksum(disk, await this.#open(), state.digest, state.size!);
    const found = await this.#checksum.result();
    throwIfAborted(this.#job.signal, `Checking ${state.path}`);
    return found === state.digest.hex ? null : found;
  }

  /** Forgets what is here. */
  async #restart(now: { size: number | null; etag: string | null }): Promise<void> {
    const { journal, state } = this.#job;
    await this.#checksum?.stop();
    this.#checksum = null;
    this.#here = new Intervals();
    this.#unnoted = new Intervals();
    const { size, etag } = now;
    await journal.add({ reset: state.path }, { state: state.path, size, etag });
    this.#job.onBytes(0);
  }

  async #open(): Promise<DiskWriter> {
    this.#writer ??= this.#job.disk.writer(this.#job.path);
    this.#opened = await this.#writer;
    return this.#opened;
  }
}
