/**
 * Other runtimes that can load models, by name. They register themselves, so that nobody carries along what is not used:
 * import "reckon/web-llm" where models are loaded, in a page's worker or in the page itself.
 */
import { ReckonError } from '../errors.ts';
import type { LoadOptions, Model } from './types.ts';

/** @param model what the backend calls it. */
export type BackendLoader = (model: string, options: LoadOptions) => Promise<Model>;

const backends = new Map<string, () => Promise<BackendLoader>>();

/** @param find finds the loader when it is first asked for, so that its program may come late. */
export function registerBackend(name: string, find: () => Promise<BackendLoader>): void {
  backends.set(name, find);
}

/** @throws ReckonError `unsupported` for one that is not there. */
export async function backendNamed(name: string): Promise<BackendLoader> {
  const find = backends.get(name);
  if (find) return find();
  throw new ReckonError('unsupported', `There is no backend ${JSON.stringify(name)} here.`, {
    hint:
      name === 'web-llm'
        ? 'Install @mlc-ai/web-llm and import "reckon/web-llm" where models are loaded.'
        : `There are: ${['reckon', ...backends.keys()].join(', ')}.`,
    details: { feature: name },
  });
}
