/**
 * `reckon/web-llm`: the second backend. Importing it registers it, so that `loadModel(id, { backend: 'web-llm' })` works here,
 * in a page or in its worker; `@mlc-ai/web-llm` itself is fetched with the first model.
 */
import { registerBackend } from '../../api/backends.ts';
import { loadWebLlm } from './load.ts';

export { loadWebLlm, type WebLlmOptions } from './load.ts';

registerBackend('web-llm', async () => loadWebLlm);
