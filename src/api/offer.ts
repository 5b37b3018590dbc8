/** Where another backend has what Reckon's decoder does not know, the refusal says so. */
import { ReckonError } from '../errors.ts';
import type { ModelSource } from './types.ts';

/** "owner/name" of a source, as far as it has one. */
function repositoryOf(source: ModelSource): string | null {
  if (typeof source === 'object' && 'repository' in source) return source.repository;
  if (Array.isArray(source)) return null;
  return /^https?:\/\/[^/]+\/([^/]+\/[^/]+?)(?:\/resolve\/|\/tree\/|\/?$)/.exec(String(source))?.[1] ?? String(source);
}

/**
 * The error for a model of an unknown architecture: itself, or with web-llm's offer where that has the model.
 * @param error code `unknown-architecture`.
 */
export async function withOffer(error: ReckonError, source: ModelSource): Promise<ReckonError> {
  const repository = repositoryOf(source);
  if (repository === null) return error;
  // The list is not carried along by those who never need it.
  const { findModel } = await import('../catalogue/entries.ts');
  const id = findModel(repository)?.webLlm?.id;
  if (id === undefined) return error;
  const message = error.hint ? error.message.slice(0, -error.hint.length).trimEnd() : error.message;
  return new ReckonError('unknown-architecture', message, {
    hint: `web-llm runs it, with fewer features: import "reckon/web-llm" and load ${JSON.stringify(id)} with { backend: "web-llm" }. It then lacks attention policies, batching and the count of FLOPs and bytes.`,
    details: { ...error.details, webLlm: id },
    cause: error,
  });
}
