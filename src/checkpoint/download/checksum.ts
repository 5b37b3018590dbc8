/** The checksum of a file that is still arriving: it follows the part without gaps, reading back what the disk holds. */
import { type Disk, type DiskReader, type Hasher, startDigest } from '../store/disk.ts';
import type { FileDigest } from '../store/types.ts';

const BUFFER = 1 << 20;

export class FollowingChecksum {
  readonly #disk: Disk;
  readonly #digest: FileDigest;
  readonly #size: number;
  readonly #reader: DiskReader;
  #hasher: Promise<Hasher> | null = null;
  #position = 0;
  /** Reads go one after the other. */
  #last: Promise<void> = Promise.resolve();
  #stopped = false;

  constructor(disk: Disk, reader: DiskReader, digest: FileDigest, size: number) {
    this.#disk = disk;
    this.#reader = reader;
    this.#digest = digest;
    this.#size = size;
  }

  /** The file is here up to `end`. Resolves when the checksum has got there. */
  follow(end: number): Promise<void> {
    this.#last = this.#last.then(() => this.#read(end));
    // Who does not wait now asks for the result later, and gets the error then.
    this.#last.catch(() => {});
    return this.#last;
  }

  /** Ends the reading; resolves when the file is no longer used. */
  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#last.catch(() => {});
  }

  /** The checksum of the whole file. */
  async result(): Promise<string> {
    await this.follow(this.#size);
    return (await this.#started()).hex();
  }

  #started(): Promise<Hasher> {
    this.#hasher ??= startDigest(this.#disk, this.#digest, this.#size);
    return this.#hasher;
  }

  async #read(end: number): Promise<void> {
    if (this.#position >= end || this.#stopped) return;
    const hasher = await this.#started();
    const buffer = new Uint8Array(Math.min(BUFFER, end - this.#position));
    while (this.#position < end && !this.#stopped) {
      const length = await this.#reader.read(
        buffer.subarray(0, Math.min(BUFFER, end - this.#position)),
        this.#position,
      );
      // The disk has less than it took: the result will say so.
      if (length === 0) return;
      hasher.update(buffer.subarray(0, length));
      this.#position += length;
    }
  }
}
