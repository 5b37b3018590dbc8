/** Random numbers for made checkpoints: a linear congruential generator, the same on every machine. */
export interface Draw {
  /** A whole number from 0 to `below` − 1. */
  below(below: number): number;
  /** From −1 to 1. */
  signed(): number;
}

export function drawFrom(seed: number): Draw {
  let state = seed >>> 0;
  const next = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return { below: (below) => Math.floor(next() * below), signed: () => next() * 2 - 1 };
}
