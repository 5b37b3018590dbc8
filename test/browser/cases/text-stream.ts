/** Drives the page's text streams in a real document. */
import { TextStream } from '../../../demo/elements/text-stream.ts';
import type { Segment } from '../../../demo/state.ts';

/** Shows each of `versions` in turn. @returns the text seen after each, how many nodes were kept, and the forced text. */
export function show(versions: readonly (readonly Segment[])[], revisions: readonly number[] = []) {
  const host = document.createElement('div');
  host.style.whiteSpace = 'pre-wrap';
  document.body.append(host);
  const stream = new TextStream(host);
  let kept = true;
  const texts = versions.map((segments, i) => {
    const before = [...host.childNodes];
    stream.show(segments, revisions[i]);
    kept &&= before.every((node, i) => host.childNodes[i] === node);
    // biome-ignore lint/performance/useDomNodeTextContent: what is seen counts, with the line that a block ends.
    return host.innerText;
  });
  const forced = [...host.querySelectorAll('.forced')].map((span) => span.textContent ?? '');
  const blocks = host.childNodes.length;
  host.remove();
  return { texts, kept, forced, blocks };
}
