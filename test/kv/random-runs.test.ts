import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Simulation } from './simulation.ts';

// Two tokens and small pages: texts meet again, and the cache has something to find.
const text = fc.array(fc.nat(1), { minLength: 1, maxLength: 14 });
const pick = fc.nat(1000);
const operation = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('open' as const), text }) },
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('append' as const), pick, text }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('fork' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('truncate' as const), pick, length: fc.nat(30) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('dispose' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('insert' as const), pick }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('match' as const), pick, length: fc.nat(30), text }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('evict' as const), count: fc.nat(4) }) },
);
type Operation = typeof operation extends fc.Arbitrary<infer T> ? T : never;

function apply(simulation: Simulation, step: Operation): void {
  const { lanes } = simulation;
  const lane = 'pick' in step ? lanes[step.pick % lanes.length] : undefined;
  if (step.kind === 'open') simulation.append(simulation.open(), step.text);
  else if (step.kind === 'match') {
    // What some lane holds, as far as `length`, and something else: prompts that begin alike.
    const started = simulation.match([...(lane?.tokens ?? []).slice(0, step.length), ...step.text]);
    simulation.append(started, [step.text.at(-1)!]);
  } else if (step.kind === 'evict') simulation.evict(step.count);
  else if (!lane) return;
  else if (step.kind === 'append') simulation.append(lane, step.text);
  else if (step.kind === 'fork') simulation.fork(lane);
  else if (step.kind === 'truncate') simulation.truncate(lane, step.length);
  else if (step.kind === 'insert') simulation.insert(lane);
  else simulation.dispose(lane);
}

/** Uniform whole numbers below `end` from a seed (the generator of Numerical Recipes). */
function seeded(seed: number): (end: number) => number {
  let state = seed >>> 0;
  return (end) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * end);
  };
}

describe('ten thousand operations on one cache', () => {
  it('leak nothing, though it is full again and again', () => {
    const [totalPages, pageSize] = [60, 4];
    const simulation = new Simulation(totalPages, pageSize);
    const below = seeded(7);
    const text = (most: number) => Array.from({ length: 1 + below(most) }, () => below(2));
    /** Texts of lanes without KV: preempted, or saved. */
    const away: number[][] = [];
    const done = { fork: 0, append: 0, truncate: 0, free: 0, preempt: 0, restore: 0, evict: 0, refused: 0 };
    for (let step = 0; step < 10_000; step++) {
      const { lanes } = simulation;
      const lane = lanes[below(Math.max(1, lanes.length))];
      const kind = below(8);
      if (!lane || (kind === 0 && lanes.length < 4)) {
        if (!simulation.append(simulation.open(), text(20))) done.refused++;
      } else if (kind <= 1 && lanes.length < 12) {
        simulation.fork(lane);
        done.fork++;
      } else if (kind <= 3) {
        if (lane.tokens.length > 60) simulation.truncate(lane, below(10));
        else if (simulation.append(lane, text(9))) done.append++;
        else {
          // As the engine does: first what only the cache holds, then another lane's KV.
          done.refused++;
          simulation.evict(3);
          done.evict++;
        }
      } else if (kind === 4) {
        simulation.truncate(lane, below(lane.tokens.length + 1));
        done.truncate++;
      } else if (kind === 5) {
        simulation.insert(lane);
        simulation.dispose(lane);
        done.free++;
      } else if (kind === 6 && lane.tokens.length > 0) {
        away.push(simulation.drop(lane));
        done.preempt++;
      } else if (away.length > 0 && lanes.length < 12) {
        const tokens = away.splice(below(away.length), 1)[0]!;
        const restored = simulation.restore(tokens);
        if (restored) expect(restored.tokens).toEqual(tokens);
        else away.push(tokens);
        done.restore++;
      }
      if (away.length > 6) away.shift();
      simulation.check();
    }
    // Every kind of operation, and the cache without a page to give, many times over.
    for (const [kind, count] of Object.entries(done)) expect(count, kind).toBeGreaterThan(100);
    for (const lane of [...simulation.lanes]) simulation.dispose(lane);
    simulation.cache.clear();
    simulation.check();
    expect(simulation.pool.free).toBe(totalPages);
  });
});

describe('lanes on pages', () => {
  it('read what they wrote and leak nothing, whatever is done to them in whatever order', () => {
    const seen = { full: 0, shared: 0, hits: 0 };
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 4 }),
        fc.integer({ min: 4, max: 40 }),
        fc.array(operation, { minLength: 8, maxLength: 40 }),
        (pageSize, totalPages, steps) => {
          const simulation = new Simulation(totalPages, pageSize);
          for (const step of steps) {
            apply(simulation, step);
            simulation.check();
            if (simulation.pool.free === 0) seen.full++;
            if (simulation.references().some((count) => count > 1)) seen.shared++;
            if (step.kind === 'match' && simulation.lanes.at(-1)!.tokens.length > pageSize) seen.hits++;
          }
          for (const lane of [...simulation.lanes]) simulation.dispose(lane);
          simulation.check();
          simulation.cache.clear();
          simulation.check();
          expect(simulation.pool.free).toBe(totalPages);
        },
      ),
      { numRuns: 1000 },
    );
    // The runs must have been in the places where errors live.
    for (const count of Object.values(seen)) expect(count).toBeGreaterThan(100);
  });
});
