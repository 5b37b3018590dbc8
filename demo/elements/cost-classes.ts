/** Where the cost went: by class and by lane, as bars beside their numbers. */
import { html } from 'lit';
import type { LedgerSnapshot } from '../../src/engine/types.ts';
import { COST_CLASSES, type CostClass } from '../../src/ledger/cost.ts';
import { percent, si } from '../format.ts';

export const CLASSES: Record<CostClass, { label: string; explain: string }> = {
  linear: { label: 'Weights', explain: 'Products of weights and activations.' },
  attention: { label: 'Attention', explain: 'Queries against the keys and values of earlier tokens.' },
  search: { label: 'Search', explain: 'Choosing which earlier tokens to attend to; nothing while all are.' },
  kvWrite: { label: 'KV writes', explain: 'Keys and values of new tokens, written to the cache.' },
  other: { label: 'Other', explain: 'Norms, embeddings, activations, sampling.' },
};

/** A row a kind of work: what it cost, and its share of the whole. */
export function costClasses(total: LedgerSnapshot) {
  return html`
    <table class="classes num">
      <thead>
        <tr>
          <th scope="col"><span class="visually-hidden">Kind</span></th>
          <th scope="col">Compute</th>
          <th scope="col"><span class="visually-hidden">Share</span></th>
          <th scope="col">Memory</th>
          <th scope="col"><span class="visually-hidden">Share</span></th>
        </tr>
      </thead>
      <tbody>
        ${COST_CLASSES.map((name) => {
          const cost = total.classes[name];
          const { label, explain } = CLASSES[name];
          return html`
            <tr title=${explain}>
              <th scope="row"><span class="swatch c-${name}" aria-hidden="true"></span>${label}</th>
              <td>${si(cost.flops, 'FLOP')}</td>
              <td class="share">${percent(cost.flops, total.flops)}</td>
              <td>${si(cost.bytes, 'B')}</td>
              <td class="share">${percent(cost.bytes, total.bytes)}</td>
            </tr>
          `;
        })}
      </tbody>
    </table>
  `;
}

function bar(value: number, most: number, name: string) {
  return html`<span class="lane-bar" aria-hidden="true"><span class=${name} style="width:${most > 0 ? (100 * value) / most : 0}%"></span></span>`;
}

/** A row a lane, longest bar for the dearest. */
export function costLanes(lanes: readonly LedgerSnapshot[]) {
  const flops = Math.max(0, ...lanes.map((lane) => lane.flops));
  const bytes = Math.max(0, ...lanes.map((lane) => lane.bytes));
  return html`
    <table class="by-lane num">
      <thead>
        <tr>
          <th scope="col"><span class="visually-hidden">Lane</span></th>
          <th scope="col" colspan="2">Compute</th>
          <th scope="col" colspan="2">Memory</th>
        </tr>
      </thead>
      <tbody>
        ${lanes.map(
          (lane, i) => html`
            <tr>
              <th scope="row">${i + 1}</th>
              <td class="bar-cell">${bar(lane.flops, flops, 'b-flops')}</td>
              <td>${si(lane.flops, 'FLOP')}</td>
              <td class="bar-cell">${bar(lane.bytes, bytes, 'b-bytes')}</td>
              <td>${si(lane.bytes, 'B')}</td>
            </tr>
          `,
        )}
      </tbody>
    </table>
  `;
}
