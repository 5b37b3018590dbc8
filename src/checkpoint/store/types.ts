/** What is kept on this device, and how far its way here it is. Plain data: it crosses the worker boundary. */
import type { ModelOrigin } from '../hub/reference.ts';

/** A model on this device, whole or in part. */
export interface StoredModel {
  /** Names it among all that are stored; also the name of its folder. */
  readonly key: string;
  /** For people: "owner/name", or an address. */
  readonly name: string;
  readonly origin: ModelOrigin;
  /** The commit it is pinned to, where its server told one. */
  readonly revision: string | null;
  /** All files are here and are what their publisher says they are. */
  readonly complete: boolean;
  /** Bytes here. */
  readonly bytes: number;
  /** Bytes of the whole model; null where a server did not tell. */
  readonly total: number | null;
  readonly files: readonly StoredFile[];
  /** When its download began, in ms since 1970. */
  readonly created: number;
}

export interface StoredFile {
  readonly path: string;
  readonly size: number | null;
  /** Bytes here. */
  readonly bytes: number;
  /** Held against the publisher's checksum, or where there is none, its size. */
  readonly verified: boolean;
  /** What it was held against; null: the publisher gives no checksum. */
  readonly digest: FileDigest | null;
}

/** A checksum in lower-case hexadecimal. `git-blob` is git's own: SHA-1 over a short head and the content. */
export interface FileDigest {
  readonly algorithm: 'sha256' | 'md5' | 'git-blob';
  readonly hex: string;
}

/** How far a download is. */
export interface DownloadProgress {
  /** `waiting`: another page or program is downloading the same model; this one goes on when that is done. */
  readonly phase: 'listing' | 'waiting' | 'downloading' | 'verifying' | 'done';
  /** Bytes here, those of earlier sessions included; of `total`, which is 0 until it is known. */
  readonly loaded: number;
  readonly total: number;
  /** Bytes that came over the network in this session. */
  readonly received: number;
  /** Over the last seconds; 0 until it is known. */
  readonly bytesPerSecond: number;
  /** Null until it is known. */
  readonly secondsLeft: number | null;
  readonly files: { readonly done: number; readonly total: number };
  /** What the last thing to go wrong was, while it is being tried again. */
  readonly trouble: string | null;
}

export interface DownloadOptions {
  /** For gated repositories. Sent to the origin of the model's own address and nowhere else; never kept. */
  token?: string;
  signal?: AbortSignal;
  onProgress?: (progress: DownloadProgress) => void;
  /** Connections at a time, 1 to 16. Default 4. */
  connections?: number;
  /** Ask the server whether the revision has moved, also where the model is complete. Default false: no network then. */
  update?: boolean;
}

/** Room for models on this device. */
export interface StorageSpace {
  /** Bytes that may still be written, as far as the browser or system tells. */
  readonly free: number | null;
  /** Bytes that stored models take. */
  readonly models: number;
  /** The browser keeps it until the person deletes it; always true in Node. */
  readonly persistent: boolean;
}
