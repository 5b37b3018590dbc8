/** What the page is to load: the embedded model, a repository, an address, files from disk, or one of web-llm's. */
import type { CatalogueModel } from '../../src/catalogue/types.ts';
import {
  type ModelOrigin,
  originName,
  parseModelName,
  type RepositoryReference,
} from '../../src/checkpoint/hub/reference.ts';
import { DEFAULT_MODEL } from '../../src/cost/catalogue.ts';
import { ReckonError } from '../../src/errors.ts';

export type ModelChoice =
  | { readonly kind: 'embedded'; readonly path: string }
  /** A repository or an address that is kept on this device. */
  | { readonly kind: 'remote'; readonly origin: ModelOrigin }
  | { readonly kind: 'files'; readonly files: readonly File[] }
  | { readonly kind: 'web-llm'; readonly id: string };

/** Relative to the page, so that it may be served from any folder. */
export const DEFAULT_CHOICE: ModelChoice = { kind: 'embedded', path: `models/${DEFAULT_MODEL}/` };

/**
 * What the page's address asks for: `?model=NAME` for a model beside the page. Only those: a link must not fetch a large one.
 * @throws ReckonError `bad-option` for what can be no such model's name.
 */
export function choiceInAddress(search: string): ModelChoice {
  const name = nameInAddress(search);
  return name === null ? DEFAULT_CHOICE : { kind: 'embedded', path: `models/${name}/` };
}

/** As `choiceInAddress`: the name alone; null where the address has none. */
export function nameInAddress(search: string): string | null {
  const name = new URLSearchParams(search).get('model');
  if (name === null || /^[\w-][\w.-]*$/.test(name)) return name;
  throw new ReckonError('bad-option', `The address asks for the model ${JSON.stringify(name.slice(0, 80))}.`, {
    hint: 'Only models that come with the page are opened so, such as ?model=proto. Press Models… for others.',
  });
}

/** @param onReckon whether Reckon's own decoder runs it. */
export function choiceOf(entry: CatalogueModel, onReckon: boolean): ModelChoice {
  if (entry.kind === 'embedded') return { kind: 'embedded', path: `${entry.source}/` };
  if (!onReckon && entry.webLlm) return { kind: 'web-llm', id: entry.webLlm.id };
  return { kind: 'remote', origin: parseModelName(entry.source) };
}

/** For people. */
export function choiceName(choice: ModelChoice): string {
  switch (choice.kind) {
    case 'embedded':
      return choice.path.replace(/\/$/, '').split('/').at(-1) ?? choice.path;
    case 'remote':
      return originName(choice.origin);
    case 'files': {
      const [first] = choice.files;
      return first?.webkitRelativePath.split('/')[0] || first?.name || 'files';
    }
    case 'web-llm':
      return choice.id;
  }
}

/** An origin as the API takes it. */
export function referenceOf(origin: ModelOrigin): string | RepositoryReference {
  if (origin.kind === 'url') return origin.url;
  const { repository, revision, file, from } = origin;
  return { repository, revision, from, ...(file === null ? {} : { file }) };
}
