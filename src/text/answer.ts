/** The answer in a reply, and a form of it that votes can be counted by. */

const BOXED = '\\boxed{';

/** Content of the last `\boxed{…}` with balanced braces; undefined when there is none. */
function boxed(text: string): string | undefined {
  /** For each open brace: where the content of a box begins, -1 for other braces. */
  const open: number[] = [];
  let best: [start: number, end: number] | undefined;
  for (let i = 0; i < text.length; i++) {
    if (text[i] === '\\') {
      if (text.startsWith(BOXED, i)) {
        open.push(i + BOXED.length);
        i += BOXED.length - 1;
      } else i += 1;
    } else if (text[i] === '{') open.push(-1);
    else if (text[i] === '}') {
      const start = open.pop() ?? -1;
      if (start > (best?.[0] ?? -1)) best = [start, i];
    }
  }
  return best && text.slice(...best).trim();
}

/** `text` without the characters of `set` at its end; a regular expression would take quadratic time on long runs. */
function trimEndOf(text: string, set: string): string {
  let end = text.length;
  while (end > 0 && set.includes(text[end - 1]!)) end -= 1;
  return text.slice(0, end);
}

/** "Answer: …", "**Final answer:** …", "The answer is …", "#### …" on a line of its own; the last one counts. */
const LABELLED =
  /^[ \t>#*_]*(?:(?:(?:so|thus|hence|therefore),?[ \t]+)?(?:the\s+)?(?:final\s+)?answer\b[ \t*_]*(?:[:=]|is\b:?)[ \t*_]*|(?<=#### ?))(\S.*)$/gim;

function labelled(text: string): string | undefined {
  const last = [...text.matchAll(LABELLED)].at(-1)?.[1];
  return last === undefined ? undefined : trimEndOf(last, '*_ \t\r');
}

/**
 * The answer of a reply: what follows the thinking, and of that the last `\boxed{…}`, else the last line labelled as the
 * answer, else all of it. Trimmed; never throws.
 */
export function extractAnswer(text: string, options: { marker?: string } = {}): string {
  const { marker = '</think>' } = options;
  const at = text.lastIndexOf(marker);
  const reply = (at < 0 ? text : text.slice(at + marker.length)).trim();
  return boxed(reply) ?? labelled(reply) ?? reply;
}

/** Takes off pairs around the whole text: quotes, dollars, bold, parentheses of LaTeX. */
function unwrap(text: string): string {
  const pairs: [string, string][] = [
    ['**', '**'],
    ['$$', '$$'],
    ['$', '$'],
    ['\\(', '\\)'],
    ['\\[', '\\]'],
    ['"', '"'],
    ["'", "'"],
    ['`', '`'],
  ];
  for (const [open, close] of pairs) {
    const inner = text.slice(open.length, text.length - close.length);
    if (
      text.length > open.length + close.length &&
      text.startsWith(open) &&
      text.endsWith(close) &&
      !inner.includes(open)
    ) {
      return unwrap(inner.trim());
    }
  }
  return text;
}

/**
 * One form for answers that differ in nothing that matters: space, a closing period, wrapping, capitals (not in LaTeX), the
 * spelling of numbers. Equal forms are one vote. Applying it twice changes nothing.
 */
export function normaliseAnswer(answer: string): string {
  let text = answer.normalize('NFC').replace(/\s+/g, ' ').trim();
  for (let before = ''; before !== text; ) {
    before = text;
    text = unwrap(trimEndOf(text, ' .;,'));
  }
  text = text.replace(/ ?([-+*/=,;:<>()[\]{}^×÷]) ?/g, '$1');
  if (!text.includes('\\')) text = text.toLowerCase();
  if (/^[-+]?\d{1,3}(,\d{3})+(\.\d+)?$/.test(text)) text = text.replaceAll(',', '');
  if (/^[-+]?\d+(\.\d+)?$/.test(text)) {
    const [whole = '', fraction = ''] = text.replace(/^\+/, '').split('.');
    const kept = fraction.replace(/0+$/, '');
    text = whole.replace(/^(-?)0+(?=\d)/, '$1') + (kept === '' ? '' : `.${kept}`);
  }
  return text;
}
