/** Other formats through the same door: from the one file of a GGUF model to replies, its chat template's switch included. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadedModel, loadFrom } from '../../src/api/load-model.ts';
import { describeCheckpoint } from '../../src/checkpoint/index.ts';
import { isReckonError } from '../../src/errors.ts';
import { errorOf, memorySource } from '../support/checkpoint.ts';
import { ggufCheckpoint } from '../support/formats/gguf.ts';
import { byteLevelVocabulary } from '../support/formats/gguf-vocabulary.ts';
import { TINY_SHAPES } from '../support/formats/layout.ts';
import { testGpu } from '../support/gpu.ts';

/** In the manner of Qwen3: thinking that is switched off is closed by the prompt. */
const TEMPLATE = `{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}<|im_start|>assistant\n
{%- if enable_thinking is defined and enable_thinking is false %}<think>\n\n</think>\n\n{% endif %}`;

let model: LoadedModel;
let expectedBytes: number;

beforeAll(async () => {
  const { metadata, tokens } = byteLevelVocabulary('qwen2', TEMPLATE);
  const shape = { ...TINY_SHAPES.qwen3, vocab: tokens.length };
  const { files } = ggufCheckpoint(shape, {
    format: (name) => (name === 'token_embd.weight' ? 'Q8_0' : 'Q4_0'),
    metadata: new Map(metadata),
  });
  const source = { ...memorySource(files, { chunk: 1 << 16 }), list: async () => Object.keys(files) };
  expectedBytes = (await describeCheckpoint(source)).loadedBytes;
  model = await loadFrom(source, { gpu: await testGpu(), maxContext: 128, maxLanes: 2, kvBytes: 1 << 20 });
});

afterAll(() => model.dispose());

describe('a GGUF file', () => {
  it('is a model like any other', async () => {
    expect(model.info).toMatchObject({ architecture: 'Qwen3ForCausalLM', layers: 2, precision: { weights: 'int4' } });
    // Known before; matrices are rounded up to whole columns.
    expect(model.info.weightBytes).toBeGreaterThanOrEqual(expectedBytes);
    expect(model.info.weightBytes).toBeLessThan(expectedBytes * 1.01);
    const request = { prompt: '2+2?', thinking: { maxTokens: 6 }, answer: { maxTokens: 4 } };
    const { candidates, usage } = await model.reason({ ...request, strategy: { name: 'chain-of-thought' } }).result;
    expect(candidates).toHaveLength(1);
    expect(usage.completionTokens).toBeGreaterThan(0);
  });

  it('answers at once where its template can switch the thinking off', async () => {
    const strategy = { name: 'chain-of-thought' } as const;
    const request = { prompt: '2+2?', strategy, answer: { maxTokens: 5 }, enableThinking: false };
    const { reasoning, usage } = await model.reason(request).result;
    expect(reasoning).toBe('');
    expect(usage.completionTokens).toBeLessThanOrEqual(5);
    const body = { messages: [{ role: 'user', content: '2+2?' }], max_tokens: 8 } as const;
    const { choices } = await model.chat.completions.create({
      ...body,
      chat_template_kwargs: { enable_thinking: false },
    });
    expect(choices[0]!.message.reasoning_content).toBe('');
    const wrong = { ...body, chat_template_kwargs: { thinking: false } as object };
    const error = await errorOf(() => model.chat.completions.create(wrong));
    expect(isReckonError(error, 'bad-option') && error.message).toMatch(/has no "thinking"/);
    const word = await errorOf(() => model.reason({ prompt: 'x', enableThinking: 'no' as unknown as boolean }).result);
    expect(isReckonError(word, 'bad-option') && word.message).toMatch(/enableThinking is "no"/);
  });
});
