/** The engine's own thread: the page stays free while it records and reads back. */
import { registerBackend } from '../src/api/backends.ts';
import '../src/worker/index.ts';

// Seven megabytes of program, fetched with the first model that needs it.
registerBackend('web-llm', async () => (await import('../src/backends/web-llm/index.ts')).loadWebLlm);
