/**
 * Gives other tasks of the host a turn: input, timers, and above all the lanes that are about to ask for a token, so that
 * they join the same step. `setTimeout(0)` would do, but browsers stretch it to 4 ms.
 */
export function yieldToHost(): Promise<void> {
  const immediate = (globalThis as { setImmediate?: (callback: () => void) => unknown }).setImmediate;
  if (immediate) return new Promise((resolve) => immediate(() => resolve()));
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(null);
  });
}
