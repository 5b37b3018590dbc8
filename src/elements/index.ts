/** Custom elements that any page can place beside its own interface. Importing this registers them. */
import { ReckonBudget } from './budget.ts';

// Two copies of the package on one page: the first one serves.
if (!customElements.get('reckon-budget')) customElements.define('reckon-budget', ReckonBudget);

export { ReckonBudget };
