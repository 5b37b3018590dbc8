import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  detectDialect,
  loadChatTemplate,
  loadTokenizer,
  parseThinking,
  promptOpensThinking,
  type ThinkingDialect,
  ThinkingParser,
} from '../../src/text/index.ts';
import { learnBpe } from '../support/bpe.ts';
import { memorySource, protoSource } from '../support/checkpoint.ts';

const opened: ThinkingDialect = {
  thinks: true,
  opened: true,
  open: '<think>',
  marker: '</think>',
  close: '\n</think>\n',
};
const unopened: ThinkingDialect = { ...opened, opened: false };
const silent: ThinkingDialect = { ...opened, thinks: false, opened: false };

function parts(pieces: readonly string[], dialect: ThinkingDialect) {
  const parser = new ThinkingParser(dialect);
  const joined = { thinking: '', answer: '' };
  const all = [...pieces.flatMap((piece) => parser.push(piece)), ...parser.flush()];
  for (const { part, text } of all) {
    expect(text).not.toBe('');
    joined[part] += text;
  }
  return { ...joined, closed: parser.part === 'answer' };
}

describe('ThinkingParser', () => {
  it('splits replies', () => {
    const cases: [string, ThinkingDialect, string, string, boolean][] = [
      ['try 1\n</think>\n42', opened, 'try 1', '42', true],
      ['\ntry 1', opened, 'try 1', '', false],
      ['', opened, '', '', false],
      ['</think>42', opened, '', '42', true],
      ['<think>\ntry\n</think>\n\n42', opened, 'try', '42', true],
      ['<think>\na\n\nb\n</think>\n\nc\n\nd\n', unopened, 'a\n\nb', 'c\n\nd\n', true],
      ['\n <think>a</think> b', unopened, 'a', ' b', true],
      ['42 < 43 <thi', unopened, '', '42 < 43 <thi', true],
      ['<thi', unopened, '', '<thi', true],
      ['a </think> b </think> c', opened, 'a ', ' b </think> c', true],
      ['a </thin', opened, 'a </thin', '', false],
      ['a\n\n', opened, 'a\n\n', '', false],
      ['<think>a</think>', silent, '', '<think>a</think>', true],
    ];
    for (const [text, dialect, thinking, answer, closed] of cases) {
      expect(parseThinking(text, dialect), text).toEqual({ thinking, answer, closed });
      expect(parts([...text], dialect), text).toEqual({ thinking, answer, closed });
    }
  });

  it('does not depend on how the text is cut', () => {
    const piece = fc.oneof(
      fc.constantFrom('<think>', '</think>', '<', '/', 'think>', '\n', '\n\n', ' ', 'a', '</thi', 'nk>'),
      fc.string({ maxLength: 4 }),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 12 }), fc.constantFrom(opened, unopened, silent), (pieces, dialect) => {
        const text = pieces.join('');
        const whole = parseThinking(text, dialect);
        expect(parts(pieces, dialect)).toEqual(whole);
        expect(parts([...text], dialect)).toEqual(whole);
      }),
      { numRuns: 500 },
    );
  });

  it('gives text as soon as it is certain', () => {
    const parser = new ThinkingParser(opened);
    expect(parser.push('try 9*10=90')).toEqual([{ part: 'thinking', text: 'try 9*10=90' }]);
    expect(parser.part).toBe('thinking');
    expect(parser.push('\n')).toEqual([]);
    expect(parser.push('</')).toEqual([]);
    expect(parser.push('b')).toEqual([{ part: 'thinking', text: '\n</b' }]);
    expect(parser.push('</think>')).toEqual([]);
    expect(parser.push('\n')).toEqual([]);
    expect(parser.push('42')).toEqual([{ part: 'answer', text: '42' }]);
    expect(parser.part).toBe('answer');
  });
});

describe('detectDialect', () => {
  const dialectOf = async (template: string | undefined, added: string[] = []) =>
    detectDialect(
      await loadChatTemplate(memorySource({ 'tokenizer_config.json': JSON.stringify({ chat_template: template }) })),
      {
        added: new Map(added.map((token, id) => [token, id])),
      },
    );

  it('knows the embedded model', async () => {
    const source = protoSource();
    expect(detectDialect(await loadChatTemplate(source), await loadTokenizer(source))).toEqual(opened);
  });

  it('tells models that open their thinking themselves, those for which the template does, and those that do not think', async () => {
    const qwen =
      "{{ '<|im_start|>assistant\\n' }}{% if enable_thinking is defined and enable_thinking is false %}{{ '<think>\\n\\n</think>\\n\\n' }}{% endif %}";
    expect(await dialectOf(qwen)).toEqual({ ...unopened, close: '\n</think>\n\n' });
    expect(await dialectOf('{{ messages[0].content }}<think>\n', ['<think>', '</think>'])).toEqual(opened);
    expect(await dialectOf('{{ messages[0].content }}', ['<think>', '</think>'])).toEqual(unopened);
    expect((await dialectOf('{{ messages[0].content }}', ['<think>'])).thinks).toBe(false);
    expect((await dialectOf(undefined)).thinks).toBe(false);
    expect(await dialectOf('{{ messages[0].content }}[THINK]')).toMatchObject({ opened: true, marker: '[/THINK]' });
    expect(await dialectOf("{{ raise_exception('no') }}<think>")).toMatchObject({ thinks: true, opened: false });
  });

  it('takes markers that somebody knows, whatever is found', async () => {
    const source = memorySource({
      'tokenizer.json': learnBpe().tokenizerJson,
      'tokenizer_config.json': JSON.stringify({ chat_template: "{{ messages[0].content }}{{ '<reason>' }}" }),
    });
    const [chat, tokenizer] = await Promise.all([loadChatTemplate(source), loadTokenizer(source)]);
    const dialect = detectDialect(chat, tokenizer, ['<reason>', '</reason>']);
    expect(dialect).toMatchObject({ thinks: true, opened: true, open: '<reason>', marker: '</reason>' });
    expect(parseThinking('why</reason>so', dialect)).toEqual({ thinking: 'why', answer: 'so', closed: true });
  });

  it('sees in a prompt whether thinking is open', () => {
    expect(promptOpensThinking('…<|im_start|>assistant\n<think>\n', opened)).toBe(true);
    expect(promptOpensThinking('…<think>\n\n</think>\n\n', opened)).toBe(false);
  });
});
