/** What a person names: a repository on a model hub, or the address of a folder on any server. */
import { ReckonError } from '../../errors.ts';
import { checkPath } from '../source.ts';

/** Where repositories are looked for unless another server is named. */
export const DEFAULT_HUB = 'https://huggingface.co/';
export const DEFAULT_REVISION = 'main';

/** A repository, as a person or a program writes it. */
export interface RepositoryReference {
  /** "owner/name". */
  repository: string;
  /** A branch, tag or commit. Default "main". */
  revision?: string;
  /** One file of several that each hold a whole model (GGUF): its path, or a part of its name such as "Q4_K_M". */
  file?: string;
  /** The hub: a mirror, or a server of one's own. Default https://huggingface.co/. */
  from?: string | URL;
}

/** A repository or an address, checked and complete. Plain data: it is kept beside what was downloaded. */
export type ModelOrigin =
  | {
      readonly kind: 'repository';
      readonly repository: string;
      readonly revision: string;
      readonly file: string | null;
      /** Ends with a slash. */
      readonly from: string;
    }
  | {
      readonly kind: 'url';
      /** The folder, ending with a slash; the query, if it has one, goes with every request. */
      readonly url: string;
      /** The one file in it that was named (GGUF). */
      readonly file: string | null;
    };

function bad(text: string, why: string): ReckonError {
  return new ReckonError('bad-option', `${JSON.stringify(text.slice(0, 200))} names no model: ${why}.`, {
    hint: 'Give "owner/name", optionally with @revision and :file behind it, or the URL of a folder.',
    details: { model: text.slice(0, 200) },
  });
}

const NAME = /^[A-Za-z0-9][\w.-]{0,95}$/;
/** As git allows them, less what an address could mistake for something else. */
const REVISION = /^[A-Za-z0-9][\w./-]{0,199}$/;

function serverOf(text: string): string {
  let url: URL;
  try {
    url = new URL(text);
  } catch (cause) {
    throw new ReckonError('bad-option', `${JSON.stringify(text)} is not the address of a server.`, {
      hint: 'It looks like https://huggingface.co/ or http://localhost:8080/.',
      cause,
    });
  }
  if (!/^https?:$/.test(url.protocol)) throw bad(text, 'only http: and https: are fetched');
  if (url.username || url.password) throw bad(text, 'addresses with a password in them are not fetched');
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.hash = '';
  return url.href;
}

/** Cuts the file off an address that names one. */
function splitFile(text: string): { folder: string; file: string | null } {
  const found = /^([^?#]*\/)([^/?#]+\.gguf)(\?[^#]*)?(?:#.*)?$/i.exec(text);
  if (!found) return { folder: text, file: null };
  const [, folder = '', file = '', query = ''] = found;
  return { folder: folder + query, file: decodeURIComponent(file) };
}

function repositoryOf(text: string, reference: RepositoryReference): ModelOrigin {
  const { repository, revision = DEFAULT_REVISION, file, from = DEFAULT_HUB } = reference;
  const parts = String(repository).split('/');
  if (parts.length !== 2 || !parts.every((part) => NAME.test(part) && !part.includes('..'))) {
    throw bad(text, 'a repository is an owner and a name with one "/" between them');
  }
  if (!REVISION.test(revision) || revision.includes('..')) {
    throw bad(text, `${JSON.stringify(revision)} is no branch, tag or commit`);
  }
  return {
    kind: 'repository',
    repository,
    revision,
    file: file === undefined || file === '' ? null : checkPath(file),
    from: serverOf(String(from)),
  };
}

/** True for what looks like "owner/name", with or without revision and file; folders and addresses do not. */
export function isRepositoryName(text: string): boolean {
  return /^[A-Za-z0-9][\w.-]*\/[A-Za-z0-9][\w.-]*(@[^:]+)?(:[^/].*)?$/.test(text);
}

/** "owner/name/tree/revision" and the like, from the address of a repository's page or of one of its files. */
const HUB_PATH = /^\/([^/]+\/[^/]+)(?:\/(?:tree|resolve|blob)\/([^/]+))?\/?$/;

/**
 * Reads what a person wrote: `owner/name`, `owner/name@revision`, `owner/name:file`, the page of a repository on
 * huggingface.co, any `…/owner/name/resolve/revision/`, or the address of a folder or of a .gguf file.
 * @param from The hub for names; not used for addresses.
 * @throws ReckonError `bad-option`.
 */
export function parseModelName(text: string, { from }: { from?: string | URL } = {}): ModelOrigin {
  const trimmed = text.trim();
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(trimmed)) {
    const found = /^([^@:]+)(?:@([^:]+))?(?::(.+))?$/.exec(trimmed);
    if (!found) throw bad(text, 'it is neither a repository nor an address');
    const [, repository = '', revision, file] = found;
    return repositoryOf(text, {
      repository,
      ...(revision === undefined ? {} : { revision }),
      ...(file === undefined ? {} : { file }),
      ...(from === undefined ? {} : { from }),
    });
  }
  const { folder, file } = splitFile(trimmed);
  const address = serverOf(folder);
  const url = new URL(address);
  const [, repository, revision] = HUB_PATH.exec(url.pathname) ?? [];
  const onHub = url.origin === new URL(DEFAULT_HUB).origin;
  if (repository !== undefined && (onHub || (revision !== undefined && url.pathname.includes('/resolve/')))) {
    return repositoryOf(text, {
      repository,
      ...(revision === undefined ? {} : { revision: decodeURIComponent(revision) }),
      ...(file === null ? {} : { file }),
      from: `${url.origin}/`,
    });
  }
  return { kind: 'url', url: address, file };
}

/** A name, an address or a reference, as an origin. @throws ReckonError `bad-option`. */
export function modelOrigin(model: string | URL | RepositoryReference | ModelOrigin): ModelOrigin {
  if (typeof model === 'string' || model instanceof URL) return parseModelName(String(model));
  if ('kind' in model) return model.kind === 'url' ? model : repositoryOf(model.repository, plain(model));
  return repositoryOf(String(model.repository), model);
}

function plain({ repository, revision, file, from }: Extract<ModelOrigin, { kind: 'repository' }>) {
  return { repository, revision, from, ...(file === null ? {} : { file }) };
}

/** For people: "owner/name", with what was asked for beyond the default; or the address without its query. */
export function originName(origin: ModelOrigin): string {
  if (origin.kind === 'url') return withoutSecrets(origin.url) + (origin.file ?? '');
  const { repository, revision, file } = origin;
  return `${repository}${revision === DEFAULT_REVISION ? '' : `@${revision}`}${file === null ? '' : `:${file}`}`;
}

/** An address as it may be shown and kept in messages: queries can hold keys. */
export function withoutSecrets(url: string): string {
  const shown = new URL(url);
  shown.search = '';
  shown.hash = '';
  shown.username = '';
  shown.password = '';
  return shown.href;
}
