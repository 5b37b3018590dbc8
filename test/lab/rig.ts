/** A model for the lab without a GPU: the API's own way from request to answer, over a reference engine. */
import { reason } from '../../src/api/reason.ts';
import type { Reasoner } from '../../src/api/request.ts';
import type { ReasonRequest } from '../../src/api/types.ts';
import { checkExperiment, type Experiment } from '../../src/lab/experiment.ts';
import type { LabModel } from '../../src/lab/run.ts';
import type { ReferenceEngine } from '../reference/engine.ts';
import { protoDialect, protoPrompt } from '../reference/proto.ts';

export interface LabRig extends LabModel {
  /** Requests so far, and the most runs that were under way at once. */
  readonly seen: { requests: ReasonRequest[]; widest: number };
}

export interface RigOptions {
  name?: string;
  maxLanes?: number;
  /** Called before a run starts; what it throws is the run's error. */
  before?: (request: ReasonRequest, underWay: number) => void;
}

export function labRig(engine: ReferenceEngine, { name = 'tiny', maxLanes = 8, before }: RigOptions = {}): LabRig {
  const reasoner: Reasoner = {
    engine,
    dialect: protoDialect,
    sampling: {},
    prompt: (messages) => ({ tokens: protoPrompt(messages[0]!.content), opensThinking: true }),
  };
  const seen: LabRig['seen'] = { requests: [], widest: 0 };
  let underWay = 0;
  return {
    seen,
    info: {
      name,
      parameters: 1000,
      precision: { weights: 'f32', kv: 'f32' },
      device: { name: 'none', software: true },
      capacity: { maxLanes },
    },
    reason(request) {
      before?.(request, underWay);
      seen.requests.push(request);
      seen.widest = Math.max(seen.widest, ++underWay);
      const run = reason(reasoner, request);
      const leave = () => {
        underWay--;
      };
      run.result.then(leave, leave);
      return run;
    },
  };
}

/** Twelve small units: three problems, two limits, two parts. */
export function smallExperiment(over: Record<string, unknown> = {}): Experiment {
  return checkExperiment({
    tasks: [{ task: 'countdown', difficulties: [3] }],
    problems: 3,
    samples: 6,
    n: [1, 2, 6],
    lanes: 4,
    thinking: [4, 8],
    answer: 4,
    sampling: { temperature: 1 },
    presets: ['measured'],
    resamples: 100,
    ...over,
  });
}
