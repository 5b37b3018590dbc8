/**
 * What a reader sees of one run, as a pure function of its `ReasoningEvent`s. Nothing here knows the DOM, the worker or
 * the clock. Events are applied in batches (one a frame): what a batch leaves alone keeps its identity, so a lane's card
 * is rendered again only when that lane changed.
 */
import type { FinishReason, LedgerSnapshot } from '../src/engine/types.ts';
import type { Cost } from '../src/ledger/cost.ts';
import type {
  Answer,
  Candidate,
  LaneTokenEvent,
  ReasoningEvent,
  RewindEvent,
  SteerEvent,
  StepTimes,
} from '../src/strategies/types.ts';
import type { Verdict } from '../src/tasks/types.ts';
import { addSample, type CostSample } from './history.ts';

/** Neighbouring tokens of one kind. Only the last segment of a lane grows. */
export interface Segment {
  readonly part: 'thinking' | 'answer';
  /** Put there by the strategy, not sampled. */
  readonly forced: boolean;
  readonly text: string;
}

export type LaneStatus = 'waiting' | 'running' | FinishReason | 'pruned';

export interface LaneView {
  /** 0-based index in the run. */
  readonly lane: number;
  readonly seed: number | null;
  readonly status: LaneStatus;
  readonly segments: readonly Segment[];
  /** Who ended the thinking: the model, its own limit, or a budget or governor (see `steers`). Null while it goes on. */
  readonly closed: 'model' | 'limit' | 'steered' | null;
  /** What was done to its thinking from outside the model, in order. */
  readonly steers: readonly Steer[];
  /** Whether the last token of its thinking was put there by the strategy. */
  readonly forced: boolean;
  /** How often text was taken back. */
  readonly rewinds: number;
  /** Tokens generated, forced ones included. */
  readonly tokens: number;
  /** Over the sampled tokens, natural logarithm. */
  readonly logprob: { readonly sum: number; readonly count: number };
  /** The parsed answer; null until the lane has ended. */
  readonly answer: string | null;
  readonly verdict: Verdict | null;
  /** Why the lane was stopped early. */
  readonly pruned: string | null;
  readonly cost: LedgerSnapshot | null;
  readonly chosen: boolean;
}

export type Steer = Pick<SteerEvent, 'action' | 'reason'>;

/** The run's cost so far, and how it grew. */
export interface CostView {
  readonly total: LedgerSnapshot;
  /** Wall seconds since the run began. */
  readonly seconds: number;
  readonly history: readonly CostSample[];
  readonly timing: StepTimes | null;
  /** What dense attention would have cost, where the run's was not. */
  readonly dense: Cost | null;
}

export type RunPhase = 'idle' | 'running' | 'stopping' | 'finished' | 'stopped' | 'failed';

export interface RunView {
  readonly phase: RunPhase;
  readonly lanes: readonly LaneView[];
  readonly cost: CostView | null;
  readonly choice: { readonly lane: number; readonly reason: string } | null;
  readonly answer: Answer | null;
}

export type RunAction =
  | { type: 'start'; lanes: number }
  | { type: 'events'; events: readonly ReasoningEvent[] }
  | { type: 'stop' }
  | { type: 'end'; how: 'finished' | 'stopped' | 'failed' };

export const IDLE: RunView = { phase: 'idle', lanes: [], cost: null, choice: null, answer: null };

/** True while tokens may still come. */
export function isActive(run: RunView): boolean {
  return run.phase === 'running' || run.phase === 'stopping';
}

function newLane(lane: number): LaneView {
  return {
    lane,
    seed: null,
    status: 'waiting',
    segments: [],
    closed: null,
    steers: [],
    forced: false,
    rewinds: 0,
    tokens: 0,
    logprob: { sum: 0, count: 0 },
    answer: null,
    verdict: null,
    pruned: null,
    cost: null,
    chosen: false,
  };
}

/** The next view. `view` is left as it was. */
export function reduceRun(view: RunView, action: RunAction): RunView {
  switch (action.type) {
    case 'start':
      return { ...IDLE, phase: 'running', lanes: Array.from({ length: action.lanes }, (_, i) => newLane(i)) };
    case 'stop':
      return view.phase === 'running' ? { ...view, phase: 'stopping' } : view;
    case 'end':
      return { ...view, phase: action.how, lanes: view.lanes.map(ended) };
    case 'events':
      return action.events.length === 0 ? view : new Batch(view).apply(action.events);
  }
}

/** A run that is over has no lane that is not. */
function ended(lane: LaneView): LaneView {
  return lane.status === 'waiting' || lane.status === 'running' ? { ...lane, status: 'abort' } : lane;
}

/** Called at the first token behind the thinking; markers that have no token there were the last of the thinking. */
function closedBy({ forced, steers }: LaneView, first: LaneTokenEvent): LaneView['closed'] {
  if (!forced && !first.forced) return 'model';
  return steers.at(-1)?.action === 'close' ? 'steered' : 'limit';
}

type Draft<T> = { -readonly [K in keyof T]: T[K] };

/** Copies what it touches, once. */
class Batch {
  readonly #view: Draft<RunView>;
  readonly #lanes: LaneView[];
  readonly #touched = new Set<LaneView>();
  readonly #texts = new Map<LaneView, Draft<Segment>[]>();

  constructor(view: RunView) {
    this.#lanes = [...view.lanes];
    this.#view = { ...view, lanes: this.#lanes };
  }

  apply(events: readonly ReasoningEvent[]): RunView {
    for (const event of events) this.#event(event);
    return this.#view;
  }

  #lane(index: number): Draft<LaneView> {
    while (this.#lanes.length <= index) this.#lanes.push(newLane(this.#lanes.length));
    const known = this.#lanes[index]!;
    if (this.#touched.has(known)) return known;
    const copy = { ...known };
    this.#touched.add(copy);
    this.#lanes[index] = copy;
    return copy;
  }

  #event(event: ReasoningEvent): void {
    switch (event.type) {
      case 'lane': {
        const lane = this.#lane(event.lane);
        lane.seed = event.seed;
        lane.status = 'running';
        return;
      }
      case 'token':
        this.#token(event);
        return;
      case 'cost': {
        event.lanes.forEach((cost, i) => {
          this.#lane(i).cost = cost;
        });
        const { total, seconds, dense = null } = event;
        const history = addSample(this.#view.cost?.history ?? [], event);
        // The last event of a run may come after the last timed step.
        const timing = event.timing ?? this.#view.cost?.timing ?? null;
        this.#view.cost = { total, seconds, history, timing, dense };
        return;
      }
      case 'rewind':
        this.#rewind(event);
        return;
      case 'steer': {
        const lane = this.#lane(event.lane);
        lane.steers = [...lane.steers, { action: event.action, reason: event.reason }];
        return;
      }
      case 'score':
        if (event.verdict) this.#lane(event.lane).verdict = event.verdict;
        return;
      case 'prune': {
        const lane = this.#lane(event.lane);
        lane.pruned = event.reason;
        lane.status = 'pruned';
        return;
      }
      case 'candidate':
        this.#candidate(this.#lane(event.lane), event.candidate);
        return;
      case 'select':
        this.#choose(event.lane, event.reason);
        return;
      case 'done': {
        const { answer } = event;
        this.#view.answer = answer;
        for (const candidate of answer.candidates) this.#candidate(this.#lane(candidate.lane), candidate);
        const chosen = answer.chosen === null ? undefined : answer.candidates[answer.chosen];
        if (chosen) this.#choose(chosen.lane, answer.reason);
        return;
      }
    }
  }

  #token(event: LaneTokenEvent): void {
    const lane = this.#lane(event.lane);
    if (lane.status === 'waiting') lane.status = 'running';
    lane.tokens++;
    if (!event.forced) {
      lane.logprob = { sum: lane.logprob.sum + event.logprob, count: lane.logprob.count + 1 };
    }
    if (event.part === 'answer') lane.closed ??= closedBy(lane, event);
    else lane.forced = event.forced;
    const first = event.part === 'answer' && lane.segments.at(-1)?.part !== 'answer';
    const text = first ? event.text.trimStart() : event.text;
    if (text === '') return;
    const segments = this.#textsOf(lane);
    const last = segments.at(-1);
    if (last && last.part === event.part && last.forced === event.forced) last.text += text;
    else segments.push({ part: event.part, forced: event.forced, text });
  }

  #textsOf(lane: Draft<LaneView>): Draft<Segment>[] {
    let segments = this.#texts.get(lane);
    if (!segments) {
      segments = lane.segments.map((segment) => ({ ...segment }));
      this.#texts.set(lane, segments);
      lane.segments = segments;
    }
    return segments;
  }

  /** Only thinking is taken back, and while it goes on there is no other text behind it. */
  #rewind({ lane: index, characters }: RewindEvent): void {
    const lane = this.#lane(index);
    lane.rewinds++;
    const segments = this.#textsOf(lane);
    for (let left = characters; left > 0; ) {
      const last = segments.at(-1);
      if (!last) return;
      const cut = Math.min(left, last.text.length);
      last.text = last.text.slice(0, last.text.length - cut);
      left -= cut;
      if (last.text === '') segments.pop();
    }
  }

  #candidate(lane: Draft<LaneView>, candidate: Candidate): void {
    lane.seed = candidate.seed;
    lane.status = candidate.finish;
    lane.tokens = candidate.tokens;
    lane.logprob = candidate.logprob;
    lane.answer = candidate.answer;
    lane.verdict = candidate.verdict ?? lane.verdict;
  }

  #choose(index: number, reason: string): void {
    this.#view.choice = { lane: index, reason };
    for (let i = 0; i < this.#lanes.length; i++) {
      if (this.#lanes[i]!.chosen !== (i === index)) this.#lane(i).chosen = i === index;
    }
  }
}
