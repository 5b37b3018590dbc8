/** `<reckon-budget>` on a page that is not ours, whose own style sheet is rude. */
import '../../../src/elements/index.ts';
import type { ReasoningEvent } from '../../../src/strategies/types.ts';

const FOREIGN = `* { color: red !important; font-size: 40px; letter-spacing: 9px; box-sizing: content-box; }
dl { display: none; } .track { height: 99px; } .budget { display: none; } p { margin: 3em; }`;

export function place(scheme: 'light' | 'dark', width: number): void {
  document.body.replaceChildren();
  document.head.querySelector('style')?.remove();
  const style = document.createElement('style');
  style.textContent = `${FOREIGN} html { color-scheme: ${scheme}; }`;
  document.head.append(style);
  const box = document.createElement('div');
  box.style.width = `${width}px`;
  box.append(document.createElement('reckon-budget'));
  document.body.append(box);
}

const element = () => document.querySelector('reckon-budget')!;

export async function push(events: readonly ReasoningEvent[]): Promise<void> {
  for (const event of events) element().push(event);
  await element().updateComplete;
}

export async function set(properties: Record<string, unknown>): Promise<void> {
  Object.assign(element(), properties);
  await element().updateComplete;
}

export async function call(name: 'end' | 'reset'): Promise<void> {
  element()[name]();
  await element().updateComplete;
}

export function seen() {
  const root = element().shadowRoot!;
  const text = (node: Element | null) => (node?.textContent ?? '').replace(/\s+/g, ' ').trim();
  const figures = [...root.querySelectorAll('[data-figure]')].map((cell) => [
    cell.getAttribute('data-figure') ?? '',
    text(cell.querySelector('dd')),
  ]);
  const meters = [...root.querySelectorAll('[role=meter]')].map((meter) => ({
    name: meter.getAttribute('aria-label'),
    now: Number(meter.getAttribute('aria-valuenow')),
    max: Number(meter.getAttribute('aria-valuemax')),
    words: meter.getAttribute('aria-valuetext'),
    height: meter.getBoundingClientRect().height,
    filled: meter.firstElementChild!.getAttribute('style'),
  }));
  const figure = root.querySelector('dd')!;
  return {
    figures: Object.fromEntries(figures) as Record<string, string>,
    meters,
    state: text(root.querySelector('.state strong')),
    news: text(root.querySelector('[role=status]')),
    size: getComputedStyle(figure).fontSize,
    colour: getComputedStyle(figure).color,
    overflow: element().scrollWidth - element().clientWidth,
  };
}
