import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addCosts, COST_CLASSES, totalCost, zeroCosts } from '../../src/ledger/cost.ts';
import { SHARES, StepCosts } from '../../src/ledger/step-costs.ts';

const entry = fc.record({
  share: fc.constantFrom(...SHARES),
  kind: fc.constantFrom(...COST_CLASSES),
  flops: fc.nat(1e9),
  bytes: fc.nat(1e9),
});

describe('StepCosts', () => {
  it('adds up by class, whatever the shares', () => {
    fc.assert(
      fc.property(fc.array(entry), (entries) => {
        const costs = new StepCosts();
        const plain = zeroCosts();
        for (const { share, kind, flops, bytes } of entries) {
          costs.add(share, kind, flops, bytes);
          plain[kind].flops += flops;
          plain[kind].bytes += bytes;
        }
        expect(costs.total()).toEqual(plain);
        expect(costs.sum()).toEqual(totalCost(plain));
        costs.reset();
        expect(costs.total()).toEqual(zeroCosts());
      }),
    );
  });

  it('splits each share by its own fraction, without rest', () => {
    fc.assert(
      fc.property(
        fc.array(entry),
        fc.record({ rows: fc.nat(64), attended: fc.nat(64), searched: fc.nat(64), logits: fc.nat(64) }),
        (entries, sixtyfourths) => {
          const costs = new StepCosts();
          for (const { share, kind, flops, bytes } of entries) costs.add(share, kind, flops, bytes);
          const part = {
            rows: sixtyfourths.rows / 64,
            attended: sixtyfourths.attended / 64,
            searched: sixtyfourths.searched / 64,
            logits: sixtyfourths.logits / 64,
          };
          const both = zeroCosts();
          costs.addPart(both, part);
          for (const kind of COST_CLASSES) {
            const flops = entries.reduce((sum, one) => sum + (one.kind === kind ? one.flops * part[one.share] : 0), 0);
            expect(both[kind].flops).toBeCloseTo(flops, 3);
          }
          const { rows, attended, searched, logits } = part;
          costs.addPart(both, { rows: 1 - rows, attended: 1 - attended, searched: 1 - searched, logits: 1 - logits });
          const whole = costs.sum();
          expect(totalCost(both).flops).toBeCloseTo(whole.flops, 3);
          expect(totalCost(both).bytes).toBeCloseTo(whole.bytes, 3);
        },
      ),
    );
  });

  it('scales sums', () => {
    const [a, b] = [zeroCosts(), zeroCosts()];
    a.linear = { flops: 3, bytes: 5 };
    addCosts(b, a, 2);
    addCosts(b, a);
    expect(b.linear).toEqual({ flops: 9, bytes: 15 });
    expect(totalCost(b)).toEqual({ flops: 9, bytes: 15 });
  });
});
