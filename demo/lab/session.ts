/** The lab's worker as the page sees it: one at a time, made when it is first needed, replaced once it is lost. */
import { explain } from '../trouble.ts';
import type { LabCommand, LabEvent } from './protocol.ts';
import type { LabAction } from './state.ts';

export class LabSession {
  readonly #take: (action: LabAction) => void;
  #worker: Worker | null = null;

  /** @param take called with everything the worker tells. */
  constructor(take: (action: LabAction) => void) {
    this.#take = take;
  }

  send(command: LabCommand): void {
    this.#worker ??= this.#start();
    this.#worker.postMessage(command);
  }

  /** Ends the worker and whatever it does. What is stored stays. */
  end(): void {
    this.#worker?.terminate();
    this.#worker = null;
  }

  #start(): Worker {
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module', name: 'reckon-lab' });
    worker.onmessage = ({ data }: MessageEvent<LabEvent>) => {
      if (this.#worker === worker) this.#take(data);
    };
    worker.onerror = (event) => {
      if (this.#worker !== worker) return;
      this.end();
      const error = new Error(event.message || "The lab's worker could not be started.");
      this.#take({ type: 'trouble', trouble: explain(error, 'run') });
    };
    return worker;
  }
}
