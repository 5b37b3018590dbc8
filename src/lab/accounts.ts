/** What N chains on a problem cost, in eFLOPs = FLOPs + I · bytes, by several ways to count. */
import { parseAttention } from '../cost/attention.ts';
import { deviceCost, deviceModel } from '../cost/device-cost.ts';
import { paperCost, paperModel } from '../cost/paper.ts';
import { codeModel, paperCodeCost } from '../cost/paper-code.ts';
import { type CostPlan, evenPlan, KINETICS_INTENSITY, type PlanCost } from '../cost/plan.ts';
import type { Cost } from '../ledger/cost.ts';
import type { AccountName } from './experiment.ts';
import type { ProblemSamples } from './gather.ts';
import { sets } from './sets.ts';
import type { Sample, Setting } from './store.ts';

export interface Account {
  /** For file names and columns: "measured-paper". */
  readonly id: string;
  /** For people. */
  readonly label: string;
  /** eFLOPs of reading the prompt once and drawing `n` chains, in expectation over the samples. */
  eflops(problem: ProblemSamples, n: number): number;
}

/**
 * What the ledger counted: the prompt once, and n times the mean chain. A chain's bytes hold its share of the weights, which
 * it read together with the lanes beside it; alone it would have read more.
 */
export function measuredCost({ prompt, samples }: ProblemSamples, n: number): Cost {
  const part = (what: keyof Cost) =>
    prompt[what] + (n * samples.reduce((sum, sample) => sum + sample.cost[what], 0)) / samples.length;
  return { flops: part('flops'), bytes: part('bytes') };
}

function measured(id: string, label: string, intensity: number): Account {
  return {
    id,
    label,
    eflops(problem, n) {
      const { flops, bytes } = measuredCost(problem, n);
      return flops + intensity * bytes;
    },
  };
}

/**
 * A formula of the paper, in expectation over the samples: the mean of what N chains would cost if all were as long as one of
 * them (Eq. 10).
 */
function formula(id: string, label: string, cost: (plan: CostPlan) => PlanCost): Account {
  return {
    id,
    label,
    eflops({ promptTokens, samples, kv }, n) {
      const attention = parseAttention(kv);
      // Chains that reach their limit are all as long: each length is worked out once.
      const known = new Map<number, number>();
      const total = (tokens: number) => {
        const made = known.get(tokens) ?? cost(evenPlan(promptTokens, tokens, n, attention)).total * 1e12;
        known.set(tokens, made);
        return made;
      };
      return samples.reduce((sum, { tokens }) => sum + total(tokens), 0) / samples.length;
    },
  };
}

/** The accounts that an experiment asks for, as far as its setting tells what they need. */
export function accountsOf(presets: readonly AccountName[], setting: Setting): Account[] {
  return presets.flatMap((preset) => made(preset, setting));
}

/** Sets of N samples whose lengths stand for all ways to choose N. */
const MOST_SETS = 200;

/**
 * The device's form, in expectation over the ways to choose N of the samples: how long the longest of them is says how often the
 * weights are read.
 */
function onDevice(label: string, cost: (plan: CostPlan) => PlanCost): Account {
  return {
    id: 'device',
    label,
    eflops({ promptTokens, samples, kv }, n) {
      const attention = parseAttention(kv);
      let [sum, count] = [0, 0];
      // The same seed for every problem, limit and N: where lengths are the same, so is the cost.
      for (const chosen of sets(samples.length, n, MOST_SETS, 1)) {
        const lengths = Array.from(chosen, (index) => (samples[index] as Sample).tokens);
        sum += cost({ prompt: promptTokens, lengths, attention }).total * 1e12;
        count++;
      }
      return sum / count;
    },
  };
}

function made(preset: AccountName, { intensity, shape, precision }: Setting): Account[] {
  const paperI = `I = ${KINETICS_INTENSITY}`;
  switch (preset) {
    case 'measured': {
      const accounts = [measured('measured-paper', `eFLOPs as counted, ${paperI}`, KINETICS_INTENSITY)];
      if (intensity === null) return accounts;
      const label = `eFLOPs as counted, I = ${intensity.toPrecision(3)} (this device)`;
      return [...accounts, measured('measured-device', label, intensity)];
    }
    case 'paper': {
      if (!shape) return [];
      const model = paperModel(shape);
      return [formula('paper', `eFLOPs by the paper's equations, ${paperI}`, (plan) => paperCost(model, plan))];
    }
    case 'paper-code': {
      if (!shape) return [];
      const model = codeModel(shape);
      return [formula('paper-code', `eFLOPs by the authors' code, ${paperI}`, (plan) => paperCodeCost(model, plan))];
    }
    case 'device': {
      if (!shape || intensity === null) return [];
      const model = deviceModel(shape, precision);
      const label = `eFLOPs by the device's form, I = ${intensity.toPrecision(3)}`;
      return [onDevice(label, (plan) => deviceCost(model, plan, {}, { intensity }))];
    }
  }
}
