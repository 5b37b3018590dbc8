/** Runs an experiment: every unit once, several side by side as the model has lanes, each stored as soon as it is done. */
import { parsePolicy } from '../cost/attention.ts';
import type { KvPrecision, ModelShape, WeightPrecision } from '../cost/shapes.ts';
import type { AttentionPolicy, Sampling } from '../engine/types.ts';
import { abortedError, isReckonError, ReckonError, throwIfAborted } from '../errors.ts';
import { COST_CLASSES, zeroCosts } from '../ledger/cost.ts';
import type { Answer, Candidate, CostEvent, ReasoningEvent } from '../strategies/index.ts';
import type { Problem } from '../tasks/index.ts';
import type { Experiment } from './experiment.ts';
import { type LabProgress, ProgressMeter } from './progress.ts';
import { checkSame, type ResultStore, type Setting, type StoredResults, type UnitRecord } from './store.ts';
import { type Unit, unitsOf } from './units.ts';

/** What the lab asks of a model, here or behind a worker. */
export interface LabRequest {
  problem: Problem;
  system?: string;
  strategy: { name: 'best-of-n'; n: number; select: 'logprob'; earlyStop: false };
  sampling: Sampling;
  thinking: { maxTokens: number };
  answer: { maxTokens: number };
  attention: AttentionPolicy;
  signal: AbortSignal;
}

/** A model as the lab sees it; `Model` of the API is one. */
export interface LabModel {
  readonly info: {
    readonly name: string;
    readonly parameters: number;
    readonly precision: { readonly weights: WeightPrecision; readonly kv: KvPrecision };
    readonly device: { readonly name: string; readonly software: boolean };
    readonly capacity: { readonly maxLanes: number };
  };
  reason(request: LabRequest): AsyncIterable<ReasoningEvent> & { readonly result: Promise<Answer> };
}

export interface RunOptions {
  readonly store: ResultStore;
  readonly signal?: AbortSignal;
  /** Called when a unit is done, and a few times a second in between. */
  readonly onProgress?: (progress: LabProgress) => void;
  /** FLOPs the device does in the time of a byte read, where measured. Kept with the results of the first session. */
  readonly intensity?: number;
  /** The model's sizes, for the accounts that are formulas. */
  readonly shape?: ModelShape;
}

/** Milliseconds between reports while nothing ends. */
const REPORT_INTERVAL = 250;

type Outcome = { unit: Unit; width: number } & ({ record: UnitRecord } | { error: unknown });

/**
 * Runs what the store does not hold yet, and returns everything. An abort or an error loses the units under way and
 * nothing else: the same call goes on from there, to the same samples as if it had never stopped.
 * @throws ReckonError `aborted`; `bad-option` where the store holds another experiment's results; `over-capacity` where a
 *   single unit does not fit; and what the model throws.
 */
export async function runExperiment(
  experiment: Experiment,
  model: LabModel,
  options: RunOptions,
): Promise<StoredResults> {
  const { store, signal, onProgress } = options;
  throwIfAborted(signal, 'The experiment');
  const units = unitsOf(experiment);
  const setting = settingOf(model, options);
  const { header, records } = await openStore(store, experiment, setting);
  const meter = new ProgressMeter(units, experiment.answer);
  for (const unit of units) {
    const record = records.get(unit.id);
    if (!record) continue;
    checkProblem(unit, record);
    meter.done(unit, record.samples, true);
  }
  onProgress?.(meter.report());
  const session = new Session(experiment, model, options, meter);
  await session.run(
    units.filter((unit) => !records.has(unit.id)),
    async (unit, record) => {
      await store.append(record);
      records.set(unit.id, record);
      meter.done(unit, record.samples);
      onProgress?.(meter.report());
    },
  );
  return { header, units: units.map((unit) => records.get(unit.id) as UnitRecord) };
}

function settingOf({ info }: LabModel, { intensity, shape }: RunOptions): Setting {
  return {
    model: info.name,
    parameters: info.parameters,
    precision: { weights: info.precision.weights, kv: info.precision.kv },
    device: info.device.name,
    software: info.device.software,
    intensity: intensity ?? null,
    shape: shape ?? null,
  };
}

async function openStore(store: ResultStore, experiment: Experiment, setting: Setting) {
  const wanted = { format: 'reckon-lab', version: 1, experiment, setting } as const;
  const stored = await store.load();
  if (!stored) {
    await store.begin(wanted);
    return { header: wanted, records: new Map<string, UnitRecord>() };
  }
  checkSame(stored.header, wanted);
  // How the samples are looked at may have changed since. What was measured stays as it was when they were drawn.
  const { intensity, shape } = stored.header.setting;
  const known = { intensity: intensity ?? setting.intensity, shape: shape ?? setting.shape };
  const header = { ...stored.header, experiment, setting: { ...stored.header.setting, ...known } };
  return { header, records: new Map(stored.units.map((record) => [record.unit, record])) };
}

/** @throws ReckonError `bad-option` where a task has come to pose another problem of that number since it was stored. */
function checkProblem({ id, problem }: Unit, { prompt }: UnitRecord): void {
  if (prompt.text === problem.prompt) return;
  throw new ReckonError(
    'bad-option',
    `The stored results are of other problems: ${id} was ${JSON.stringify(prompt.text)} and is now ${JSON.stringify(problem.prompt)}.`,
    { hint: 'They are of another version of Reckon. Store this experiment elsewhere.', details: { unit: id } },
  );
}

/** The units that are under way, as many as fit. */
class Session {
  readonly #experiment: Experiment;
  readonly #model: LabModel;
  readonly #signal: AbortSignal | undefined;
  readonly #onProgress: RunOptions['onProgress'];
  readonly #meter: ProgressMeter;
  /** One for each unit under way: hosts warn of signals that many listen to. */
  readonly #stops = new Set<AbortController>();
  #reported = performance.now();

  constructor(experiment: Experiment, model: LabModel, { signal, onProgress }: RunOptions, meter: ProgressMeter) {
    this.#experiment = experiment;
    this.#model = model;
    this.#signal = signal;
    this.#onProgress = onProgress;
    this.#meter = meter;
  }

  async run(units: readonly Unit[], store: (unit: Unit, record: UnitRecord) => Promise<void>): Promise<void> {
    const pending = [...units];
    const running = new Map<Unit, Promise<Outcome>>();
    let width = Math.max(1, Math.floor(this.#model.info.capacity.maxLanes / this.#experiment.lanes));
    let failure: { error: unknown } | null = null;
    const stop = () => {
      for (const unit of this.#stops) unit.abort();
    };
    this.#signal?.addEventListener('abort', stop, { once: true });
    try {
      while (running.size > 0 || (pending.length > 0 && !failure)) {
        while (!failure && running.size < width && pending.length > 0) {
          const unit = pending.shift() as Unit;
          running.set(unit, this.#outcome(unit, width));
        }
        const outcome = await Promise.race(running.values());
        running.delete(outcome.unit);
        try {
          if ('record' in outcome) await store(outcome.unit, outcome.record);
          else if (outcome.width > 1 && isReckonError(outcome.error, 'over-capacity')) {
            // It did not fit beside the others; fewer at once leave it room.
            this.#meter.restart(outcome.unit);
            pending.unshift(outcome.unit);
            width = Math.min(width, Math.max(1, outcome.width >> 1));
          } else throw outcome.error;
        } catch (error) {
          // Whatever is under way ends, and is awaited: no lane outlives this call.
          failure ??= { error };
          stop();
        }
      }
    } finally {
      this.#signal?.removeEventListener('abort', stop);
    }
    if (pending.length > 0) throwIfAborted(this.#signal, 'The experiment');
    if (failure) throw this.#signal?.aborted ? abortedError('The experiment', this.#signal) : failure.error;
  }

  async #outcome(unit: Unit, width: number): Promise<Outcome> {
    try {
      return { unit, width, record: await this.#draw(unit) };
    } catch (error) {
      return { unit, width, error };
    }
  }

  async #draw(unit: Unit): Promise<UnitRecord> {
    const { sampling, answer, system } = this.#experiment;
    throwIfAborted(this.#signal, 'The experiment');
    const stop = new AbortController();
    this.#stops.add(stop);
    const run = this.#model.reason({
      problem: unit.problem,
      ...(system === undefined ? {} : { system }),
      strategy: { name: 'best-of-n', n: unit.samples, select: 'logprob', earlyStop: false },
      sampling: { ...sampling, seed: unit.seed },
      thinking: { maxTokens: unit.thinking },
      answer: { maxTokens: answer },
      attention: parsePolicy(unit.kv),
      signal: stop.signal,
    });
    let cost: CostEvent | null = null;
    let result: Answer;
    try {
      for await (const event of run) {
        if (event.type === 'cost') cost = event;
        else if (event.type === 'token') this.#token(unit);
      }
      result = await run.result;
    } finally {
      this.#stops.delete(stop);
    }
    // A run that is aborted concludes with what it has; half a unit is none.
    if (stop.signal.aborted && result.candidates.some(({ finish }) => finish === 'abort')) {
      throw abortedError('The experiment', this.#signal);
    }
    return recordOf(unit, result, cost);
  }

  #token(unit: Unit): void {
    this.#meter.token(unit);
    const now = performance.now();
    if (!this.#onProgress || now - this.#reported < REPORT_INTERVAL) return;
    this.#reported = now;
    this.#onProgress(this.#meter.report());
  }
}

function recordOf(unit: Unit, answer: Answer, cost: CostEvent | null): UnitRecord {
  const { candidates, usage } = answer;
  if (!cost || cost.lanes.length !== candidates.length) {
    throw new ReckonError('internal', `The run of ${unit.id} did not tell what its lanes cost.`);
  }
  const lanes = cost.lanes;
  const classes = zeroCosts();
  for (const name of COST_CLASSES) {
    for (const lane of lanes) {
      classes[name].flops += lane.classes[name].flops;
      classes[name].bytes += lane.classes[name].bytes;
    }
  }
  const total = (what: 'flops' | 'bytes') => lanes.reduce((sum, lane) => sum + lane[what], 0);
  return {
    unit: unit.id,
    task: unit.problem.task,
    difficulty: unit.problem.difficulty,
    index: unit.index,
    thinking: unit.thinking,
    kv: unit.kv,
    part: unit.part,
    prompt: {
      text: unit.problem.prompt,
      tokens: usage.promptTokens,
      cost: {
        // What a prompt found in the cache is a difference of equal sums, and must not come out below nothing.
        flops: Math.max(0, usage.ledger.flops - total('flops')),
        bytes: Math.max(0, usage.ledger.bytes - total('bytes')),
      },
    },
    classes,
    samples: candidates.map((candidate, i) => {
      const { flops, bytes } = lanes[i] as CostEvent['lanes'][number];
      return { ...sampleOf(unit, candidate), cost: { flops, bytes } };
    }),
  };
}

function sampleOf(unit: Unit, candidate: Candidate) {
  const { seed, reasoning, answer, verdict, tokens, finish, logprob } = candidate;
  if (finish === 'pruned' || finish === 'abort' || !verdict) {
    throw new ReckonError('internal', `A chain of ${unit.id} ended with ${finish}, and no verdict.`);
  }
  return { seed, reasoning, answer, correct: verdict.correct, tokens, finish, logprob };
}
