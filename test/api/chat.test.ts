import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { chatCompletions } from '../../src/api/chat.ts';
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionRequest } from '../../src/api/chat-types.ts';
import type { LoadedModel } from '../../src/api/load-model.ts';
import { isReckonError, type ReckonErrorCode } from '../../src/errors.ts';
import { taskById } from '../../src/tasks/index.ts';
import { errorOf } from '../support/checkpoint.ts';
import { protoModel } from '../support/model.ts';

let model: LoadedModel;
beforeAll(async () => {
  model = await protoModel({ maxLanes: 4 });
});
afterAll(() => model?.dispose());

const messages = [{ role: 'user' as const, content: taskById('countdown').generate(7).prompt }];

/**
 * What clients rely on, by the published reference of `chat.completion` and `chat.completion.chunk`: names and kinds of the
 * required fields, and nothing else but `reasoning_content`.
 */
type Shape = { [name: string]: string | Shape | [Shape] };
const USAGE: Shape = {
  prompt_tokens: 'number',
  completion_tokens: 'number',
  total_tokens: 'number',
  completion_tokens_details: { reasoning_tokens: 'number' },
};
const HEAD: Shape = { id: 'string', created: 'number', model: 'string' };
const COMPLETION: Shape = {
  ...HEAD,
  object: 'chat.completion',
  choices: [
    {
      index: 'number',
      finish_reason: 'stop|length',
      logprobs: 'null',
      message: { role: 'assistant', content: 'string', refusal: 'null', reasoning_content: 'string' },
    },
  ],
  usage: USAGE,
};
const CHUNK: Shape = {
  ...HEAD,
  object: 'chat.completion.chunk',
  choices: [{ index: 'number', finish_reason: 'stop|length|null', logprobs: 'null', delta: {} }],
};

function expectShape(value: unknown, shape: Shape | string | [Shape], path = 'body'): void {
  if (typeof shape === 'string') {
    const kind = value === null ? 'null' : typeof value;
    expect([kind, value], path).toSatisfy(() => shape.split('|').some((name) => name === kind || name === value));
  } else if (Array.isArray(shape)) {
    expect(Array.isArray(value), path).toBe(true);
    for (const [i, item] of (value as unknown[]).entries()) expectShape(item, shape[0], `${path}[${i}]`);
  } else {
    if (path.endsWith('delta')) return;
    expect(Object.keys(value as object).sort(), path).toEqual(Object.keys(shape).sort());
    for (const [name, inner] of Object.entries(shape)) {
      expectShape((value as Record<string, unknown>)[name], inner, `${path}.${name}`);
    }
  }
}

async function read(stream: AsyncIterable<ChatCompletionChunk>): Promise<ChatCompletionChunk[]> {
  const chunks: ChatCompletionChunk[] = [];
  for await (const chunk of stream) chunks.push(chunk);
  return chunks;
}

/** A client's view: the choices put together from the deltas. */
function assembled(chunks: readonly ChatCompletionChunk[]) {
  const choices = new Map<number, { content: string; reasoning_content: string; finish: string | null }>();
  for (const { index, delta, finish_reason } of chunks.flatMap((chunk) => chunk.choices)) {
    const own = choices.get(index) ?? { content: '', reasoning_content: '', finish: null };
    choices.set(index, own);
    expect(own.finish).toBeNull();
    own.content += delta.content ?? '';
    own.reasoning_content += delta.reasoning_content ?? '';
    own.finish = finish_reason;
  }
  return choices;
}

describe('chat.completions.create', () => {
  const body: ChatCompletionRequest = { messages, n: 2, seed: 11, model: 'any' };
  let completion: ChatCompletion;
  beforeAll(async () => {
    completion = (await model.chat.completions.create(body)) as ChatCompletion;
  });

  it("has OpenAI's shape, the thinking beside the content, and counts", () => {
    expectShape(completion, COMPLETION);
    expect(completion.id).toMatch(/^chatcmpl-/);
    expect(completion.model).toBe('proto');
    expect(Math.abs(completion.created - Date.now() / 1000)).toBeLessThan(600);
    expect(completion.choices.map(({ index }) => index)).toEqual([0, 1]);
    for (const { message, finish_reason } of completion.choices) {
      expect(message.reasoning_content).toMatch(/^try .*\S$/s);
      expect(message.content).toMatch(/^\S.*\S$/s);
      expect(message.content + message.reasoning_content).not.toMatch(/<\||think>/);
      expect(finish_reason).toBe('stop');
    }
    const { usage } = completion;
    expect(usage.total_tokens).toBe(usage.prompt_tokens + usage.completion_tokens);
    expect(usage.completion_tokens_details.reasoning_tokens).toBeGreaterThan(20);
    expect(usage.completion_tokens_details.reasoning_tokens).toBeLessThan(usage.completion_tokens);
  });

  it('streams the same choices side by side, and the usage where it is asked for', async () => {
    const stream = await model.chat.completions.create({
      ...body,
      stream: true,
      stream_options: { include_usage: true },
    });
    const chunks = await read(stream);
    const last = chunks.pop()!;
    expect(last.choices).toEqual([]);
    expect(last.usage).toEqual(completion.usage);
    for (const { usage, ...chunk } of chunks) {
      expectShape(chunk, CHUNK);
      expect(usage).toBeNull();
      expect([chunk.id, chunk.created, chunk.model]).toEqual([chunks[0]!.id, chunks[0]!.created, 'proto']);
      for (const { delta } of chunk.choices) {
        const known = ['role', 'content', 'reasoning_content'];
        expect(Object.keys(delta).every((name) => known.includes(name))).toBe(true);
      }
    }
    const choices = assembled(chunks);
    for (const { index, message, finish_reason } of completion.choices) {
      const { content, reasoning_content } = message;
      expect(choices.get(index)).toEqual({ content, reasoning_content, finish: finish_reason });
      expect(chunks.find((chunk) => chunk.choices[0]!.index === index)!.choices[0]!.delta.role).toBe('assistant');
    }
    // Interleaved, not one after the other.
    const order = chunks.map((chunk) => chunk.choices[0]!.index);
    expect(order.indexOf(1)).toBeLessThan(order.lastIndexOf(0));
    expect(order.indexOf(0)).toBeLessThan(order.lastIndexOf(1));
  });

  it('stops at stop texts in the content, and ends at its limit of tokens', async () => {
    const stopped = await model.chat.completions.create({ messages, temperature: 0, stop: '=' });
    expect(stopped.choices[0]!.message.content).toMatch(/^\d+[-+*/]\d+$/);
    expect(stopped.choices[0]!.message.reasoning_content).toContain('=');
    expect(stopped.choices[0]!.finish_reason).toBe('stop');
    const short = await model.chat.completions.create({ messages, temperature: 0, max_tokens: 8 });
    expect(short.choices[0]!.finish_reason).toBe('length');
    // 6 to think, 2 to answer; the close that is forced in between is counted, too.
    expect(short.usage.completion_tokens).toBeLessThanOrEqual(8 + model.engine.encode('\n</think>\n').length);
  });

  it('takes null for "not given", neutral values of what it does not know, and biases', async () => {
    const [token] = model.engine.encode('back');
    const answer = await model.chat.completions.create({
      messages,
      n: null,
      stop: null,
      temperature: 0,
      max_completion_tokens: 16,
      logit_bias: { [String(token)]: 100 },
      ...{ presence_penalty: 0, response_format: { type: 'text' }, user: 'me', tools: [], logprobs: false },
    });
    expect(answer.choices).toHaveLength(1);
    expect(answer.choices[0]!.message.reasoning_content).toMatch(/^(back ?)+$/);
  });

  it('rejects as aborted, whole or streamed, by a signal in either place', async () => {
    const controller = new AbortController();
    const stream = await model.chat.completions.create({ ...body, stream: true }, { signal: controller.signal });
    let seen = 0;
    const error = await errorOf(async () => {
      for await (const _ of stream) if (++seen === 5) controller.abort();
    });
    expect(isReckonError(error, 'aborted')).toBe(true);
    expect(seen).toBeGreaterThanOrEqual(5);
    const late = new AbortController();
    setTimeout(() => late.abort(), 60);
    const whole = await errorOf(() => model.chat.completions.create({ ...body, signal: late.signal }));
    expect(isReckonError(whole, 'aborted')).toBe(true);
  });

  it('stops the run when a stream is left', async () => {
    for await (const _ of await model.chat.completions.create({ ...body, stream: true })) break;
    const { rows } = model.engine.ledger.snapshot();
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(model.engine.ledger.snapshot().rows).toBe(rows);
    model.engine.clearPrefixes();
    expect(model.engine.capacity.freePages).toBe(model.engine.capacity.totalPages);
  });
});

describe('a body that cannot be served', () => {
  const cases: [what: string, code: ReckonErrorCode, message: RegExp, body: Record<string, unknown>][] = [
    ['without messages', 'bad-option', /no messages/, { messages: undefined }],
    ['with content in parts', 'bad-option', /not text/, { messages: [{ role: 'user', content: [{ type: 'text' }] }] }],
    ['asking for log-probabilities', 'bad-option', /logprobs/, { logprobs: true }],
    ['asking for JSON', 'bad-option', /response_format/, { response_format: { type: 'json_object' } }],
    ['asking for tools', 'bad-option', /tools/, { tools: [{ type: 'function' }] }],
    ['with a penalty', 'bad-option', /presence_penalty/, { presence_penalty: 1 }],
    ['with a word of its own', 'bad-option', /beam_width/, { beam_width: 4 }],
    ['with no choices', 'bad-option', /n is 0/, { n: 0 }],
    ['with too many choices', 'bad-option', /n is 500/, { n: 500 }],
    ['with no tokens', 'bad-option', /max_completion_tokens is 0/, { max_completion_tokens: 0 }],
    ['with negative tokens', 'bad-option', /max_tokens is -5/, { max_tokens: -5 }],
    ['with more tokens than there is room', 'over-capacity', /room/, { max_tokens: 1_000_000 }],
    ['with an empty stop', 'bad-option', /stop strings/, { stop: '' }],
    ['with five stops', 'bad-option', /at most 4/, { stop: ['a', 'b', 'c', 'd', 'e'] }],
    ['with a bias beyond 100', 'bad-option', /logit_bias/, { logit_bias: { 5: 101 } }],
    ['with a bias on a word', 'bad-option', /token id/, { logit_bias: { hello: 1 } }],
    ['with a negative temperature', 'bad-option', /temperature/, { temperature: -1 }],
  ];
  it.each(cases)('%s rejects the call, streamed or not', async (_what, code, message, over) => {
    for (const stream of [false, true]) {
      const body = { messages, stream, ...over } as unknown as ChatCompletionRequest;
      const error = await errorOf(() => model.chat.completions.create(body));
      expect(error.message).toMatch(message);
      expect(isReckonError(error, code)).toBe(true);
    }
  });

  it('that is none at all', async () => {
    const face = chatCompletions('none', () => {
      throw new Error('It must not get this far.');
    });
    const error = await errorOf(() => face.create(undefined as unknown as ChatCompletionRequest));
    expect(isReckonError(error, 'bad-option')).toBe(true);
  });
});
