/**
 * Many async generators read as one. Every source is always asked for its next item, so none waits for another; items
 * come out in the order in which they arrived, at most one per source ahead of the reader, so none starves.
 */

type Arrival<T, R> = { readonly source: number; readonly result: IteratorResult<T, R> } | { readonly error: unknown };

/**
 * @param sources started at once when the merged generator is first read.
 * @param cancel called before unfinished sources are told to return, so that one waiting for something can be woken
 * (aborted); without it, such a source delays the end until its pending item arrives.
 * @returns the return values of the sources, in their order.
 * @throws whatever a source throws, after every item that arrived before it. All other sources have ended by then; their
 * own errors are dropped.
 */
export async function* merge<T, R>(
  sources: readonly AsyncGenerator<T, R, undefined>[],
  cancel?: () => void,
): AsyncGenerator<T, R[], undefined> {
  const results = new Array<R>(sources.length);
  const unfinished = new Set(sources.keys());
  const arrived: Arrival<T, R>[] = [];
  let wake: (() => void) | null = null;
  const arrive = (arrival: Arrival<T, R>) => {
    arrived.push(arrival);
    wake?.();
  };
  const ask = (source: number) => {
    (sources[source] as AsyncGenerator<T, R, undefined>).next().then(
      (result) => arrive({ source, result }),
      (error: unknown) => {
        unfinished.delete(source);
        arrive({ error });
      },
    );
  };

  try {
    for (const source of sources.keys()) ask(source);
    while (unfinished.size > 0 || arrived.length > 0) {
      const arrival = arrived.shift();
      if (!arrival) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        wake = null;
        continue;
      }
      if ('error' in arrival) throw arrival.error;
      const { source, result } = arrival;
      if (result.done) {
        unfinished.delete(source);
        results[source] = result.value;
      } else {
        // Asked before the item is handed out: a slow reader must not hold a lane back.
        ask(source);
        yield result.value;
      }
    }
    return results;
  } finally {
    if (unfinished.size > 0) {
      cancel?.();
      await Promise.allSettled([...unfinished].map((source) => sources[source]?.return(undefined as R)));
    }
  }
}
