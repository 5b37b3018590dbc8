/** Exact reads from a byte stream whose chunks fall anywhere. */
import { abortedError, throwIfAborted } from '../errors.ts';

/** Size of the buffer that is lent to streams that fill one. */
const BUFFER_BYTES = 1 << 20;

/**
 * Holds at most one chunk of the stream beyond what was asked for. Aborting ends a read that waits, too. A byte stream
 * fills one and the same buffer again and again.
 */
export class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | ReadableStreamBYOBReader;
  /** Lent to the stream for each read, and given back by it; null for a stream that brings its own chunks. */
  #buffer: ArrayBuffer | null = null;
  readonly #what: string;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort: () => void;
  #rest = new Uint8Array(0);

  /** @param what Names the work in the abort error: "Reading model.safetensors". */
  constructor(stream: ReadableStream<Uint8Array>, what: string, signal?: AbortSignal) {
    let reader: ReadableStreamBYOBReader | null = null;
    try {
      reader = stream.getReader({ mode: 'byob' });
      this.#buffer = new ArrayBuffer(BUFFER_BYTES);
    } catch {
      // No byte stream.
    }
    this.#reader = reader ?? stream.getReader();
    this.#what = what;
    this.#signal = signal;
    // Cancelling resolves a pending read, so that a stalled connection does not outlive the abort.
    this.#onAbort = () => void this.#reader.cancel(signal?.reason).catch(() => undefined);
    if (signal?.aborted) this.#onAbort();
    else signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /**
   * Fills `target` from the stream.
   * @returns bytes written: fewer than `target.length` only at the end of the stream.
   * @throws ReckonError `aborted`, and whatever the stream fails with.
   */
  async fill(target: Uint8Array): Promise<number> {
    let filled = 0;
    while (filled < target.length) {
      if (this.#rest.length === 0 && !(await this.#next())) break;
      const part = this.#rest.subarray(0, target.length - filled);
      target.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    throwIfAborted(this.#signal, this.#what);
    return filled;
  }

  /** The next `count` bytes, or as many as there are: memory grows with what arrives, not with what is asked for. */
  async upTo(count: number): Promise<Uint8Array> {
    const parts: Uint8Array[] = [];
    let total = 0;
    while (total < count && (this.#rest.length > 0 || (await this.#next()))) {
      const part = this.#rest.subarray(0, count - total);
      // The next read fills the same buffer.
      parts.push(this.#buffer ? part.slice() : part);
      total += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    throwIfAborted(this.#signal, this.#what);
    const bytes = new Uint8Array(total);
    let at = 0;
    for (const part of parts) {
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }

  /** Passes over `count` bytes. @returns bytes passed: fewer only at the end of the stream. */
  async skip(count: number): Promise<number> {
    let skipped = 0;
    while (skipped < count && (this.#rest.length > 0 || (await this.#next()))) {
      const step = Math.min(this.#rest.length, count - skipped);
      this.#rest = this.#rest.subarray(step);
      skipped += step;
    }
    throwIfAborted(this.#signal, this.#what);
    return skipped;
  }

  /** Cancels the stream; safe to call more than once, never throws. */
  async close(): Promise<void> {
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#rest = new Uint8Array(0);
    await this.#reader.cancel().catch(() => undefined);
  }

  async #next(): Promise<boolean> {
    throwIfAborted(this.#signal, this.#what);
    try {
      const { done, value } = await this.#read();
      if (done || !value) return false;
      if (this.#buffer) this.#buffer = value.buffer;
      this.#rest = value;
      return true;
    } catch (error) {
      if (this.#signal?.aborted) throw abortedError(this.#what, this.#signal);
      throw error;
    }
  }

  #read(): Promise<ReadableStreamReadResult<Uint8Array<ArrayBuffer> | undefined>> {
    const reader = this.#reader;
    if (reader instanceof ReadableStreamDefaultReader) return reader.read() as Promise<never>;
    return reader.read(new Uint8Array(this.#buffer!)) as Promise<never>;
  }
}
