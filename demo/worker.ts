/** The engine's own thread: the page stays free while it records and reads back. */
import '../src/worker/index.ts';
