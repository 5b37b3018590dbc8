/** From a request to a strategy on the engine, and its events as one stream with a result. */
import type { Engine, Sampling } from '../engine/types.ts';
import { checkNumber, ReckonError } from '../errors.ts';
import {
  type Answer,
  type ReasoningEvent,
  runStrategy,
  type StrategyContext,
  type ThinkingDialect,
} from '../strategies/index.ts';
import { taskById } from '../tasks/index.ts';
import { Run } from './run.ts';
import type { ChatMessage, ReasonRequest, ReasonRun } from './types.ts';

/** What a loaded model brings to a request. */
export interface Reasoner {
  readonly engine: Engine;
  readonly dialect: ThinkingDialect;
  /** The makers' sampling settings; a request's own come first. */
  readonly sampling: Sampling;
  /** The prompt of a conversation, up to where the model starts to write. */
  prompt(messages: readonly ChatMessage[]): number[];
}

/** Tokens kept for the answer behind the thinking, unless a request says otherwise. */
const ANSWER_TOKENS = 256;

/** Starts a run. Nothing is computed before the microtask after; errors reject the result and end the iteration. */
export function reason(model: Reasoner, request: ReasonRequest): ReasonRun {
  const { strategy = { name: 'best-of-n' as const } } = request;
  const { name, ...options } = strategy;
  let events: AsyncGenerator<ReasoningEvent, Answer, undefined> | null = null;
  return new Run(
    async (emit) => {
      events = runStrategy(name, contextOf(model, request), options);
      while (true) {
        const { done, value } = await events.next();
        if (done) return value;
        emit(value);
      }
    },
    () => void events?.return(undefined as never),
  );
}

function contextOf(model: Reasoner, request: ReasonRequest): StrategyContext {
  const { engine, dialect } = model;
  const prompt = model.prompt(messagesOf(request));
  const { problem } = request;
  const task = problem ? taskById(problem.task) : null;
  const { maxContext } = engine.capacity;
  const answerTokens = checkNumber(
    'answer.maxTokens',
    request.answer?.maxTokens ?? Math.min(ANSWER_TOKENS, maxContext >> 2),
    {
      min: 1,
      integer: true,
    },
  );
  const room = maxContext - prompt.length - answerTokens - engine.encode(dialect.close).length;
  if (room < 1) {
    throw new ReckonError(
      'over-capacity',
      `The prompt is ${prompt.length} tokens; with ${answerTokens} for the answer, a context of ${maxContext} leaves no room to think.`,
      { hint: 'Shorten the prompt, allow a shorter answer, or load the model with a longer context.' },
    );
  }
  const wanted = request.thinking?.maxTokens;
  const thinkingTokens =
    wanted === undefined ? room : checkNumber('thinking.maxTokens', wanted, { min: 1, integer: true });
  if (thinkingTokens > room) {
    throw new ReckonError(
      'over-capacity',
      `${thinkingTokens} tokens of thinking do not fit: the context leaves room for ${room}.`,
      {
        hint: `Ask for at most ${room}, or load the model with a longer context.`,
        details: { asked: thinkingTokens, room },
      },
    );
  }
  return {
    engine,
    prompt,
    dialect,
    sampling: { ...model.sampling, ...request.sampling },
    thinking: { maxTokens: thinkingTokens },
    answer: { maxTokens: answerTokens },
    ...(problem && task ? { verify: (answer: string) => task.verify(problem, answer) } : {}),
    ...(request.signal ? { signal: request.signal } : {}),
  };
}

function messagesOf({ messages, prompt, problem }: ReasonRequest): readonly ChatMessage[] {
  const given = [messages, prompt, problem].filter((item) => item !== undefined);
  if (given.length !== 1) {
    throw new ReckonError(
      'bad-option',
      `A request names ${given.length} of messages, prompt and problem; it must name exactly one.`,
    );
  }
  if (messages) return messages;
  return [{ role: 'user', content: problem ? problem.prompt : String(prompt) }];
}
