/** From a request to what a strategy is given: everything checked, everything filled in. */
import type { AccountedModel } from '../cost/account.ts';
import { ATTENTION_FORMS, parsePolicy } from '../cost/attention.ts';
import { resolveAttention } from '../engine/attention.ts';
import type { AttentionPolicy, Engine, Sampling } from '../engine/types.ts';
import { checkNumber, ReckonError, unsupportedError } from '../errors.ts';
import { MAX_LAYERS } from '../kernels/row-lists.ts';
import { fits } from '../kv/index.ts';
import {
  checkBudget,
  type StepTimes,
  type StrategyContext,
  THINKING_NAMES,
  type ThinkingDialect,
  type ThinkingOptions,
} from '../strategies/index.ts';
import { type Problem, taskById } from '../tasks/index.ts';
import type { ChatMessage, ReasonRequest } from './types.ts';

/** A prompt ready to be read. */
export interface Prompt {
  readonly tokens: number[];
  /** It ends inside the thinking, which it has opened. */
  readonly opensThinking: boolean;
}

/** What a loaded model brings to a request. */
export interface Reasoner {
  readonly engine: Engine;
  readonly dialect: ThinkingDialect;
  /** The makers' sampling settings; a request's own come first. */
  readonly sampling: Sampling;
  /** Its shape, for the formulas beside the ledger, where it is known. */
  readonly accounted?: AccountedModel;
  /** How well recent steps were predicted, where that is watched. */
  times?(): StepTimes | null;
  /**
   * A conversation, up to where the model starts to write. A lone question may go to a model without chat template.
   * @param enableThinking For templates that know of it; absent: the template's own default.
   */
  prompt(messages: readonly ChatMessage[], enableThinking?: boolean): Prompt;
}

/** Tokens kept for the answer behind the thinking, unless a request says otherwise: these, or a quarter of the room. */
const ANSWER_TOKENS = 256;
/** Without limits of its own a run takes what the KV of all its lanes has room for; less than this is refused. */
const LEAST_ROOM = 128;
/** Best-of-N's own default. */
const DEFAULT_LANES = 8;

const REQUEST = [
  'messages',
  'prompt',
  'problem',
  'system',
  'strategy',
  'sampling',
  'thinking',
  'enableThinking',
  'answer',
  'attention',
  'budget',
  'signal',
] as const satisfies readonly (keyof ReasonRequest)[];
const SAMPLING = [
  'temperature',
  'topK',
  'topP',
  'minP',
  'repetitionPenalty',
  'seed',
  'biases',
] as const satisfies readonly (keyof Sampling)[];

/**
 * The value as a record of the names that are given.
 * @throws ReckonError `bad-option` for anything but an object, and for names that are not known.
 */
function record(what: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new ReckonError('bad-option', `${what} is not an object.`);
  }
  const given = Object.entries(value).filter(([, item]) => item !== undefined);
  for (const [name] of given) {
    if (known.includes(name)) continue;
    throw new ReckonError('bad-option', `${what} has no setting ${JSON.stringify(name)}.`, {
      hint: `It has: ${known.join(', ')}.`,
      details: { name },
    });
  }
  return Object.fromEntries(given);
}

/**
 * @throws ReckonError `bad-option` for a request that makes no sense, `over-capacity` for a prompt, limits or number of
 *   lanes that do not fit.
 */
export function contextOf(model: Reasoner, request: ReasonRequest): StrategyContext {
  record('The request', request, REQUEST);
  const { engine } = model;
  const attention = request.attention === undefined ? null : attentionOf(request.attention);
  const sampling = record('sampling', request.sampling, SAMPLING) as Sampling;
  const { tokens, opensThinking } = model.prompt(messagesOf(request), enabledThinking(request));
  const dialect = dialectOf(model, request, opensThinking);
  const limits = limitsOf(engine, dialect, tokens.length, request);
  const { problem, budget, signal } = request;
  return {
    engine,
    prompt: tokens,
    dialect,
    sampling: { ...model.sampling, ...sampling },
    ...limits,
    ...(problem ? { verify: verifierOf(problem) } : {}),
    ...(attention ? { attention } : {}),
    ...(budget === undefined ? {} : { budget: bindingBudget(engine, budget) }),
    ...(signal ? { signal } : {}),
  };
}

function enabledThinking({ enableThinking }: ReasonRequest): boolean | undefined {
  if (enableThinking === undefined || typeof enableThinking === 'boolean') return enableThinking;
  throw new ReckonError('bad-option', `enableThinking is ${JSON.stringify(enableThinking)}; it must be true or false.`);
}

/**
 * The model's dialect as the prompt leaves it. A reply whose thinking was switched off is all answer.
 * @throws ReckonError `bad-option` where the template opens the thinking all the same.
 */
function dialectOf({ dialect }: Reasoner, { enableThinking }: ReasonRequest, opened: boolean): ThinkingDialect {
  if (enableThinking !== false) return dialect.opened === opened ? dialect : { ...dialect, opened };
  if (!opened) return { ...dialect, thinks: false, opened: false };
  throw new ReckonError(
    'bad-option',
    'The chat template of this model opens the thinking, whatever enableThinking is.',
    {
      hint: 'Leave enableThinking out, and limit the thinking with thinking.maxTokens.',
    },
  );
}

/** @throws ReckonError `bad-option`; `unsupported` for a limit on what the engine does not count: it would never bind. */
function bindingBudget({ lacks, device }: Engine, budget: NonNullable<ReasonRequest['budget']>) {
  const checked = checkBudget(budget);
  if (lacks?.includes('costs') && (checked.eflops !== undefined || checked.bytes !== undefined)) {
    throw unsupportedError(device.name, 'costs', 'counting FLOPs and bytes, which this budget limits');
  }
  return checked;
}

function limitsOf(
  engine: Engine,
  dialect: ThinkingDialect,
  prompt: number,
  request: ReasonRequest,
): Pick<StrategyContext, 'thinking' | 'answer'> {
  const whole = { min: 1, integer: true };
  const { maxTokens: thinkingWanted, ...control } = record(
    'thinking',
    request.thinking,
    THINKING_NAMES,
  ) as Partial<ThinkingOptions>;
  const { maxTokens: answerWanted, stopStrings } = record('answer', request.answer, ['maxTokens', 'stopStrings']);
  if (thinkingWanted !== undefined) checkNumber('thinking.maxTokens', thinkingWanted, whole);
  if (answerWanted !== undefined) checkNumber('answer.maxTokens', answerWanted, whole);
  const stops = stopStrings === undefined ? [] : checkStopStrings(stopStrings);

  const { capacity } = engine;
  const { maxContext } = capacity;
  const close = dialect.thinks ? engine.encode(dialect.close).length : 0;
  /** Tokens a lane can still take, and how many of them all lanes can take at once. */
  const left = maxContext - prompt - close;
  const plan = { lanes: lanesOf(request), shared: prompt, length: Math.max(prompt, maxContext) };
  const fitting = Math.min(left, Math.max(fits(plan, capacity).maxLength - prompt - close, LEAST_ROOM));

  const answer = (answerWanted as number | undefined) ?? Math.max(1, Math.min(ANSWER_TOKENS, fitting >> 2));
  const room = left - answer;
  if (room < (dialect.thinks ? 1 : 0)) {
    throw new ReckonError(
      'over-capacity',
      `The prompt has ${prompt} tokens; with ${answer} for the answer, a context of ${maxContext} leaves no room${dialect.thinks ? ' to think' : ''}.`,
      {
        hint: 'Shorten the prompt, allow a shorter answer, or load the model with a longer context.',
        details: { promptTokens: prompt, answerTokens: answer, maxContext },
      },
    );
  }
  const thinking = thinkingWanted ?? Math.max(1, fitting - answer);
  if (dialect.thinks && thinking > room) {
    throw new ReckonError(
      'over-capacity',
      `${thinking} tokens of thinking do not fit: the context leaves room for ${room}.`,
      {
        hint: `Ask for at most ${room}, or load the model with a longer context.`,
        details: { asked: thinking, room },
      },
    );
  }
  return {
    thinking: { ...control, maxTokens: thinking },
    answer: { maxTokens: answer, ...(stops.length > 0 ? { stopStrings: stops } : {}) },
  };
}

/** How many lanes the request is about; a number that is none is left for the strategy to refuse. */
function lanesOf({ strategy }: ReasonRequest): number {
  if (strategy !== undefined && strategy.name !== 'best-of-n') return 1;
  const n = strategy?.n ?? DEFAULT_LANES;
  return Number.isInteger(n) && n > 0 ? n : 1;
}

/** @throws ReckonError `bad-option` unless they are texts of at least one character. */
export function checkStopStrings(value: unknown): string[] {
  const ok = Array.isArray(value) && value.every((stop) => typeof stop === 'string' && stop !== '');
  if (ok) return [...value];
  throw new ReckonError('bad-option', `${JSON.stringify(value)} are not stop strings.`, {
    hint: 'Stop strings are texts of at least one character, in a list.',
  });
}

/** A policy as an object, or as people write it. Whether the engine can serve it is seen when a lane is given it. */
function attentionOf(attention: AttentionPolicy | string): AttentionPolicy {
  if (typeof attention === 'string') return parsePolicy(attention);
  if (typeof attention === 'object' && attention !== null) {
    resolveAttention(attention, { layers: MAX_LAYERS, summaries: true });
    return attention;
  }
  throw new ReckonError('bad-option', `${JSON.stringify(attention)} is no attention policy.`, {
    hint: `Give an object with its kind, or one of the forms ${ATTENTION_FORMS}.`,
  });
}

function verifierOf(problem: Problem): NonNullable<StrategyContext['verify']> {
  const task = taskById(problem.task);
  return (answer) => task.verify(problem, answer);
}

function messagesOf({ messages, prompt, problem, system }: ReasonRequest): readonly ChatMessage[] {
  const given = Object.entries({ messages, prompt, problem }).filter(([, value]) => value !== undefined);
  if (given.length !== 1) {
    const names = given.length === 0 ? 'none' : given.map(([name]) => name).join(' and ');
    throw new ReckonError(
      'bad-option',
      `A request gives one of messages, prompt and problem; this one gives ${names}.`,
    );
  }
  if (system !== undefined && (messages !== undefined || typeof system !== 'string')) {
    throw new ReckonError('bad-option', messages ? 'There are both messages and system.' : 'system is not text.', {
      hint: messages ? 'Make the system turn the first of the messages.' : 'Give a text, or leave it out.',
    });
  }
  if (messages !== undefined) return messages;
  const question = problem === undefined ? prompt : problem?.prompt;
  if (typeof question !== 'string' || question.trim() === '') {
    throw new ReckonError('bad-option', `The ${problem === undefined ? 'prompt' : "problem's prompt"} is empty.`, {
      hint: problem === undefined ? 'Ask something.' : 'Problems come from a task: taskById(id).generate or .parse.',
    });
  }
  const user = { role: 'user', content: question } as const;
  return system === undefined ? [user] : [{ role: 'system', content: system }, user];
}
