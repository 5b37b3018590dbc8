/** The models on this device: listed, brought here, read, checked, deleted. The same in a browser and in Node. */
import { checkNumber, ReckonError, throwIfAborted } from '../../errors.ts';
import { type DownloadSettings, downloadModel } from '../download/download.ts';
import { type ModelOrigin, modelOrigin, originName, type RepositoryReference } from '../hub/reference.ts';
import type { CheckpointSource } from '../source.ts';
import { type Disk, startDigest, storageError } from './disk.ts';
import { entryKey, FILES, readEntry } from './entry.ts';
import { JOURNAL, readJournal, storedModel } from './journal.ts';
import { storedSource } from './stored-source.ts';
import type { StorageSpace, StoredModel } from './types.ts';

/** What names a model: "owner/name", an address, or a reference. */
export type ModelName = string | URL | RepositoryReference | ModelOrigin;

export class ModelStore {
  readonly #disk: Disk;
  readonly #settings: DownloadSettings;

  /** @param settings Defaults of every download. */
  constructor(disk: Disk, settings: DownloadSettings = {}) {
    this.#disk = disk;
    this.#settings = settings;
  }

  /** For people: the folder, or "this browser". */
  get place(): string {
    return this.#disk.name;
  }

  /** All models, whole or in part, by name. Finishes deletions that were interrupted. */
  async list(): Promise<StoredModel[]> {
    const models: StoredModel[] = [];
    for (const key of await this.#disk.folders()) {
      const text = await this.#disk.text(`${key}/${JOURNAL}`);
      const found = text === null ? null : readJournal(text);
      if (found?.state.deleted) await this.#remove(key);
      else if (found) models.push(storedModel(key, found.state));
    }
    return models.sort((a, b) => a.name.localeCompare(b.name, 'en') || a.key.localeCompare(b.key, 'en'));
  }

  /** The model if it is here, whole or in part. @throws ReckonError `bad-option` for what names no model. */
  async find(model: ModelName): Promise<StoredModel | null> {
    return readEntry(this.#disk, await entryKey(this.#disk, modelOrigin(model)));
  }

  /** As `downloadModel`; resolves at once, without any network, where the model is here already. */
  async download(model: ModelName, options: DownloadSettings = {}): Promise<StoredModel> {
    const settings = { ...this.#settings, ...options };
    if (settings.connections !== undefined) {
      checkNumber('connections', settings.connections, { min: 1, max: 16, integer: true });
    }
    const origin = modelOrigin(model);
    const key = await entryKey(this.#disk, origin);
    const others = async () => (await this.list()).filter((other) => other.key !== key);
    return downloadModel(this.#disk, key, origin, settings, others);
  }

  /** The files of a model that is here. @throws ReckonError `storage` where it is not, or not all of it. */
  async source(model: ModelName): Promise<CheckpointSource> {
    const found = await this.find(model);
    if (found?.complete) return storedSource(this.#disk, found);
    const name = originName(modelOrigin(model));
    throw storageError(
      found ? `Only a part of ${name} is on this device` : `${name} is not on this device`,
      found ? 'Download it again: it goes on where it stopped.' : 'Download it first.',
      { name, bytes: found?.bytes ?? 0 },
    );
  }

  /** Deletes by key or name; nothing there is fine. @throws ReckonError `storage` while it is being downloaded. */
  async delete(model: ModelName | StoredModel): Promise<void> {
    const key =
      typeof model === 'object' && 'key' in model
        ? model.key
        : await entryKey(this.#disk, modelOrigin(model as ModelName));
    // Only what is a model of ours is deleted, whatever the key says.
    if (!(await this.#disk.folders()).includes(key)) return;
    if (!(await this.#isModel(key))) return;
    const release = await this.#disk.lock(key);
    if (!release) {
      throw storageError(
        `${key} is being downloaded or checked by another page or program`,
        'Stop that first, then delete.',
        { key, busy: true },
      );
    }
    try {
      // A deletion that ends in the middle is finished later: the journal says so, and goes last.
      await this.#append(key, [{ deleted: true }]);
      await this.#clear(key);
    } finally {
      await release();
    }
  }

  /**
   * Reads a model through and holds it against its publisher's checksums.
   * @returns paths of files that are not as they should be; they are fetched again by the next download.
   */
  async verify(
    model: ModelName | StoredModel,
    options: { signal?: AbortSignal; onProgress?: (progress: { loaded: number; total: number }) => void } = {},
  ): Promise<string[]> {
    const origin = modelOrigin(typeof model === 'object' && 'key' in model ? model.origin : model);
    const found = await this.find(origin);
    if (!found) throw storageError(`${originName(origin)} is not on this device`, 'Download it first.');
    const total = found.files.reduce((sum, { bytes }) => sum + bytes, 0);
    const damaged: string[] = [];
    let loaded = 0;
    for (const { path, size, digest, verified, bytes } of found.files) {
      if (!verified) continue;
      const reader = await this.#disk.reader(`${found.key}/${FILES}/${path}`);
      const hasher =
        reader && digest && reader.size === size ? await startDigest(this.#disk, digest, reader.size) : null;
      const buffer = new Uint8Array(Math.min(1 << 20, Math.max(1, bytes)));
      for (let at = 0; reader && hasher && at < reader.size; ) {
        throwIfAborted(options.signal, `Checking ${found.name}`);
        const length = await reader.read(buffer.subarray(0, reader.size - at), at);
        if (length === 0) break;
        hasher.update(buffer.subarray(0, length));
        at += length;
        options.onProgress?.({ loaded: loaded + at, total });
      }
      await reader?.close();
      loaded += bytes;
      if (reader?.size !== size || (digest && hasher?.hex() !== digest.hex)) damaged.push(path);
    }
    if (damaged.length > 0)
      await this.#note(
        found.key,
        damaged.map((path) => ({ reset: path })),
      );
    return damaged;
  }

  /** Room on this device. */
  async space(): Promise<StorageSpace> {
    const { free, persistent } = await this.#disk.space();
    const models = (await this.list()).reduce((sum, { bytes }) => sum + bytes, 0);
    return { free, models, persistent };
  }

  async #isModel(key: string): Promise<boolean> {
    const text = await this.#disk.text(`${key}/${JOURNAL}`);
    return text !== null && readJournal(text) !== null;
  }

  async #remove(key: string): Promise<void> {
    const release = await this.#disk.lock(key);
    if (!release) return;
    try {
      await this.#clear(key);
    } finally {
      await release();
    }
  }

  async #clear(key: string): Promise<void> {
    await this.#disk.remove(`${key}/${FILES}`);
    await this.#disk.remove(key);
  }

  async #note(key: string, lines: readonly object[]): Promise<void> {
    const release = await this.#disk.lock(key);
    if (!release) throw new ReckonError('storage', `${key} is in use by another page or program.`);
    try {
      await this.#append(key, lines);
    } finally {
      await release();
    }
  }

  async #append(key: string, lines: readonly object[]): Promise<void> {
    const writer = await this.#disk.writer(`${key}/${JOURNAL}`);
    try {
      const bytes = new Uint8Array(writer.size);
      await writer.read(bytes, 0);
      const end = readJournal(new TextDecoder().decode(bytes))?.bytes ?? 0;
      await writer.resize(end);
      await writer.write(new TextEncoder().encode(lines.map((line) => `${JSON.stringify(line)}\n`).join('')), end);
      await writer.flush();
    } finally {
      await writer.close();
    }
  }
}
