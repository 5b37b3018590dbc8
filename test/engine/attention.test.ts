/** Attention policies in numbers, and their history. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { resolveAttention, type Sparsity, spanOf, sparseFrom } from '../../src/engine/attention.ts';
import { PolicyHistory } from '../../src/engine/policy-history.ts';
import type { AttentionPolicy } from '../../src/engine/types.ts';
import { attendedPositions, type ReferencePolicy } from '../reference/policies.ts';
import { errorCode } from './rig.ts';

const ENGINE = { layers: 4, summaries: true };
const small = (max: number) => fc.integer({ min: 0, max });
const policies: fc.Arbitrary<AttentionPolicy & ReferencePolicy> = fc
  .record({
    kind: fc.constantFrom('blockTopK', 'window', 'tokenTopK'),
    sinks: small(40),
    local: small(60),
    shift: small(6),
  })
  .chain(({ kind, sinks, local, shift }) =>
    fc.integer({ min: 1, max: 5 }).map((blocks) => {
      const blockSize = 1 << shift;
      if (kind === 'blockTopK') return { kind, sinks, local, blockSize, budget: blocks * blockSize };
      return kind === 'window'
        ? { kind, sinks, local }
        : { kind: 'tokenTopK' as const, sinks, local, budget: 3 * blocks };
    }),
  ) as never;

describe('a policy', () => {
  it('attends to as many tokens as its definition says, and is dense until it leaves one out', () => {
    fc.assert(
      fc.property(policies, fc.integer({ min: 1, max: 400 }), (policy, length) => {
        const sparsity = resolveAttention(policy, ENGINE)!;
        const positions = attendedPositions(
          policy,
          1,
          [[1]],
          Array.from({ length }, (_, i) => [Math.sin(i)]),
        );
        const span = spanOf(sparsity, length);
        expect(span?.tokens ?? length).toBe(positions.length);
        expect(span === null).toBe(length < sparseFrom(sparsity));
      }),
    );
  });

  it('has the defaults of the paper', () => {
    expect(resolveAttention({ kind: 'blockTopK', budget: 64 }, ENGINE)).toEqual({
      kind: 'blockTopK',
      blockSize: 16,
      chosen: 4,
      sinks: 1,
      local: 1,
      search: 'summaries',
      denseLayers: [0],
    });
    expect(resolveAttention({ kind: 'window', local: 8, denseLayers: [3, 0, 1, 2, 2] }, ENGINE)).toBeNull();
  });

  it.each([
    { kind: 'blockTopK', budget: 30 },
    { kind: 'blockTopK', budget: 24, blockSize: 12 },
    { kind: 'blockTopK', budget: 0 },
    { kind: 'blockTopK', budget: 128, blockSize: 128 },
    { kind: 'tokenTopK', budget: 1.5 },
    { kind: 'window', local: -1 },
    { kind: 'window', local: 8, denseLayers: [-1] },
    { kind: 'quest' },
  ])('is refused as %j', async (policy) => {
    expect(await errorCode(() => resolveAttention(policy as AttentionPolicy, ENGINE))).toBe('bad-option');
  });

  it('needs summaries for blocks of a page or more', async () => {
    const without = { ...ENGINE, summaries: false };
    expect(await errorCode(() => resolveAttention({ kind: 'blockTopK', budget: 32 }, without))).toBe('bad-option');
    expect(resolveAttention({ kind: 'blockTopK', budget: 32, blockSize: 8 }, without)?.search).toBe('keys');
  });
});

describe('PolicyHistory', () => {
  it('tells for every position what a list of them would', () => {
    const operation = fc.oneof(
      fc.record({ grow: fc.integer({ min: 1, max: 90 }), policy: fc.option(policies) }),
      fc.record({ cut: fc.integer({ min: 0, max: 90 }) }),
    );
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 12 }), (operations) => {
        let history = new PolicyHistory();
        const list: (Sparsity | null)[] = [];
        for (const step of operations) {
          if ('cut' in step) {
            list.length = Math.max(0, list.length - step.cut);
            history.truncate(list.length);
          } else {
            const policy = step.policy ? resolveAttention(step.policy, ENGINE) : null;
            for (let i = 0; i < step.grow; i++) list.push(policy);
            history.note(list.length, policy);
          }
          history = history.copy();
        }
        const effective = list.map((policy, i) => (spanOf(policy, i + 1) ? policy : null));
        expect(history.length).toBe(list.length);
        for (let i = 0; i <= list.length; i++) {
          expect(history.sparseAt(i)).toEqual(effective[i] ?? null);
          const next = effective.findIndex((policy, at) => at >= i && policy !== null);
          expect(history.denseUntil(i)).toBe(next < 0 ? Number.POSITIVE_INFINITY : next);
        }
      }),
      { numRuns: 60 },
    );
  });
});
