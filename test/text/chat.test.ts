import { describe, expect, it } from 'vitest';
import { isReckonError } from '../../src/errors.ts';
import { type ChatMessage, loadChatTemplate, renderChat } from '../../src/text/index.ts';
import { errorOf, memorySource } from '../support/checkpoint.ts';

/** A template with the constructs that those of reasoning models use. */
const RICH = `{%- if messages[0].role == 'system' %}{{- '<|im_start|>system\\n' + messages[0].content + '<|im_end|>\\n' }}{%- endif %}
{%- set ns = namespace(last=messages|length - 1) %}
{%- for message in messages %}
  {%- set content = message.content if message.content is string else '' %}
  {%- if message.role == 'user' or (message.role == 'system' and not loop.first) %}
    {{- '<|im_start|>' + message.role + '\\n' + content + '<|im_end|>\\n' }}
  {%- elif message.role == 'assistant' %}
    {%- if '</think>' in content %}{%- set content = content.split('</think>')[-1].lstrip('\\n') %}{%- endif %}
    {{- '<|im_start|>assistant\\n' + content + eos_token + '\\n' }}
  {%- elif message.role == 'tool' %}{{ raise_exception('no tools here') }}
  {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
  {{- '<|im_start|>assistant\\n' }}
  {%- if enable_thinking is defined and enable_thinking is false %}{{- '<think>\\n\\n</think>\\n\\n' }}{%- endif %}
{%- endif %}`;

const load = (config: unknown, more: Record<string, string> = {}) =>
  loadChatTemplate(memorySource({ 'tokenizer_config.json': JSON.stringify(config), ...more }));
const user: ChatMessage = { role: 'user', content: 'hi {{ 7*7 }}' };

describe('renderChat', () => {
  it('renders turns, thinking and end tokens as the template says', async () => {
    const chat = await load({ chat_template: RICH, eos_token: { content: '<|im_end|>' } });
    const messages: ChatMessage[] = [
      { role: 'system', content: 'S' },
      { role: 'user', content: 'a' },
      { role: 'assistant', content: '<think>\nlong\n</think>\n\nb' },
      user,
    ];
    const turns =
      '<|im_start|>system\nS<|im_end|>\n<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\nb<|im_end|>\n<|im_start|>user\nhi {{ 7*7 }}<|im_end|>\n';
    expect(renderChat(chat, messages, { addGenerationPrompt: false })).toBe(turns);
    expect(renderChat(chat, messages)).toBe(`${turns}<|im_start|>assistant\n`);
    expect(renderChat(chat, messages, { enableThinking: true })).toBe(`${turns}<|im_start|>assistant\n`);
    expect(renderChat(chat, messages, { enableThinking: false })).toBe(
      `${turns}<|im_start|>assistant\n<think>\n\n</think>\n\n`,
    );
  });

  it('finds the template in all its places', async () => {
    const expected = { source: '{{ messages[0].content }}!' };
    expect(await load({ chat_template: expected.source })).toMatchObject(expected);
    expect(
      await load({
        chat_template: [
          { name: 'tools', template: 'x' },
          { name: 'default', template: expected.source },
        ],
      }),
    ).toMatchObject(expected);
    expect(await load({}, { 'chat_template.jinja': expected.source })).toMatchObject(expected);
    const chat = await loadChatTemplate(
      memorySource({ 'chat_template.jinja': '{{ greeting }}{{ messages[0].content }}' }),
    );
    expect(renderChat(chat, [user], { variables: { greeting: 'oh ' } })).toBe('oh hi {{ 7*7 }}');
  });

  it('refuses what are no messages', async () => {
    const chat = await load({ chat_template: RICH, eos_token: 'E' });
    const cases: [unknown, RegExp][] = [
      [[], /There are no messages/],
      ['hello', /There are no messages/],
      [[user, { role: 'wizard', content: 'x' }], /Message 1 has the role "wizard".*system, user, assistant, tool/],
      [[{ role: 'user', content: 4 }], /Message 0 \(user\) has content that is not text/],
      [[null], /Message 0 has the role/],
      [[user, { role: 'tool', content: 'x' }], /The chat template of memory refused the messages: .*no tools here/],
    ];
    for (const [messages, message] of cases) {
      const error = await errorOf(() => renderChat(chat, messages as ChatMessage[]));
      expect(isReckonError(error, 'bad-option') && error.message).toMatch(message);
    }
  });

  it('says when there is no template, or none that can be read', async () => {
    const none = await load({});
    const error = await errorOf(() => renderChat(none, [user]));
    expect(isReckonError(error, 'bad-tokenizer') && error.message).toMatch(
      /memory has no chat template.*whole `prompt`/,
    );
    const broken = await errorOf(() => load({ chat_template: '{% for x in' }));
    expect(isReckonError(broken, 'bad-tokenizer') && broken.message).toMatch(/is not a Jinja template/);
    const odd = await errorOf(() => load({ chat_template: 7 }));
    expect(isReckonError(odd, 'bad-tokenizer') && odd.message).toMatch(/neither text nor a list/);
  });
});
