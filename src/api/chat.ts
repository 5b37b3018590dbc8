/**
 * `chat.completions.create` in OpenAI's shape, with `reasoning_content` beside `content` as servers of reasoning models
 * have it. `n` choices are lanes of one batch over one prompt. Streamed or not, the texts are the same.
 */
import { abortedError } from '../errors.ts';
import type { Answer, Candidate, LaneTokenEvent, ReasoningEvent } from '../strategies/types.ts';
import { requestOf } from './chat-request.ts';
import type {
  ChatCompletion,
  ChatCompletionChunk,
  ChatCompletionRequest,
  ChatCompletions,
  ChatFinishReason,
  CompletionUsage,
} from './chat-types.ts';
import type { ReasonRequest, ReasonRun } from './types.ts';

interface Head {
  id: string;
  created: number;
  model: string;
}

/** The face over anything that runs requests. */
export function chatCompletions(model: string, run: (request: ReasonRequest) => ReasonRun): ChatCompletions {
  const create = async (
    body: ChatCompletionRequest,
    options: { signal?: AbortSignal } = {},
  ): Promise<ChatCompletion | AsyncIterable<ChatCompletionChunk>> => {
    const signal = options.signal ?? body?.signal;
    const reasoning = run(requestOf(body, signal));
    const head = { id: `chatcmpl-${crypto.randomUUID()}`, created: Math.floor(Date.now() / 1000), model };
    const events = reasoning[Symbol.asyncIterator]();
    if (!body.stream) return whole(head, await collect(events, signal));
    // The first event tells that the request is good: what is wrong with it rejects the call, not the stream.
    const first = await events.next();
    return chunks(head, first, events, { usage: body.stream_options?.include_usage === true, signal });
  };
  return { create: create as ChatCompletions['create'] };
}

type Part = LaneTokenEvent['part'];

/** One part of a choice, without the line breaks at its edges, which belong to the markers. */
class Edges {
  #begun = false;
  #held = '';

  push(text: string): string {
    const fresh = this.#begun ? text : text.replace(/^[\r\n]+/, '');
    if (fresh === '') return '';
    this.#begun = true;
    const all = this.#held + fresh;
    const ready = all.replace(/[\r\n]+$/, '');
    this.#held = all.slice(ready.length);
    return ready;
  }
}

/** The texts of all choices as they grow. */
class Texts {
  readonly #edges = new Map<string, Edges>();
  reasoningTokens = 0;

  /** What a token adds to its part. */
  push({ lane, part, text }: LaneTokenEvent): string {
    if (part === 'thinking') this.reasoningTokens++;
    const key = `${part} ${lane}`;
    let edges = this.#edges.get(key);
    if (!edges) {
      edges = new Edges();
      this.#edges.set(key, edges);
    }
    return edges.push(text);
  }
}

function finishOf({ finish }: Candidate): ChatFinishReason {
  return finish === 'stop' ? 'stop' : 'length';
}

function usageOf({ usage }: Answer, reasoningTokens: number): CompletionUsage {
  return {
    prompt_tokens: usage.promptTokens,
    completion_tokens: usage.completionTokens,
    total_tokens: usage.promptTokens + usage.completionTokens,
    completion_tokens_details: { reasoning_tokens: reasoningTokens },
  };
}

interface Collected {
  choices: ChatCompletion['choices'];
  usage: CompletionUsage;
}

async function collect(events: AsyncIterator<ReasoningEvent>, signal: AbortSignal | undefined): Promise<Collected> {
  const texts = new Texts();
  const written = new Map<number, Record<Part, string>>();
  const of = (lane: number) => {
    const own = written.get(lane) ?? { thinking: '', answer: '' };
    written.set(lane, own);
    return own;
  };
  for (;;) {
    const { done, value: event } = await events.next();
    if (done) throw abortedError('The completion', signal);
    if (event.type === 'token') of(event.lane)[event.part] += texts.push(event);
    if (event.type !== 'done') continue;
    if (signal?.aborted) throw abortedError('The completion', signal);
    const choices = event.answer.candidates.map((candidate) => {
      const { thinking, answer } = of(candidate.lane);
      return {
        index: candidate.lane,
        message: { role: 'assistant' as const, content: answer, refusal: null, reasoning_content: thinking },
        finish_reason: finishOf(candidate),
        logprobs: null,
      };
    });
    return { choices, usage: usageOf(event.answer, texts.reasoningTokens) };
  }
}

function whole(head: Head, { choices, usage }: Collected): ChatCompletion {
  return { ...head, object: 'chat.completion', choices, usage };
}

async function* chunks(
  head: Head,
  first: IteratorResult<ReasoningEvent>,
  events: AsyncIterator<ReasoningEvent>,
  wanted: { usage: boolean; signal: AbortSignal | undefined },
): AsyncGenerator<ChatCompletionChunk, void, undefined> {
  const texts = new Texts();
  const chunk = (
    choices: ChatCompletionChunk['choices'],
    usage: CompletionUsage | null = null,
  ): ChatCompletionChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices,
    ...(wanted.usage ? { usage } : {}),
  });
  const choice = (
    index: number,
    delta: ChatCompletionChunk['choices'][number]['delta'],
    finish: ChatFinishReason | null = null,
  ) => chunk([{ index, delta, finish_reason: finish, logprobs: null }]);
  try {
    for (let next = first; !next.done; next = await events.next()) {
      const event = next.value;
      if (event.type === 'lane') yield choice(event.lane, { role: 'assistant', content: '' });
      else if (event.type === 'token') {
        const text = texts.push(event);
        if (text !== '') {
          yield choice(event.lane, event.part === 'thinking' ? { reasoning_content: text } : { content: text });
        }
      } else if (event.type === 'candidate' && event.candidate.finish !== 'abort') {
        yield choice(event.lane, {}, finishOf(event.candidate));
      } else if (event.type === 'done') {
        if (wanted.signal?.aborted) throw abortedError('The completion', wanted.signal);
        if (wanted.usage) yield chunk([], usageOf(event.answer, texts.reasoningTokens));
      }
    }
  } finally {
    await events.return?.();
  }
}
