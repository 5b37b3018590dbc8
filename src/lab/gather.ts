/** Units put together again: all samples of a problem under one thinking limit and KV policy. */
import type { Cost } from '../ledger/cost.ts';
import type { Experiment } from './experiment.ts';
import type { Sample, UnitRecord } from './store.ts';

/** Problems of one task and difficulty. */
export interface Group {
  readonly task: string;
  readonly difficulty: number;
}

export interface ProblemSamples extends Group {
  /** Number of the problem within its group. */
  readonly index: number;
  readonly thinking: number;
  readonly kv: string;
  readonly promptTokens: number;
  /** Reading the prompt with nothing of it in the cache. */
  readonly prompt: Cost;
  readonly samples: readonly Sample[];
}

export function groupsOf({ tasks }: Experiment): Group[] {
  return tasks.flatMap(({ task, difficulties }) => difficulties.map((difficulty) => ({ task, difficulty })));
}

/** "countdown/3"; "all" for all of them. */
export function groupName(group: Group | null): string {
  return group ? `${group.task}/${group.difficulty}` : 'all';
}

/** Finds problems by group, thinking limit and KV policy. */
export class Gathered {
  readonly #cells = new Map<string, ProblemSamples[]>();

  constructor(records: readonly UnitRecord[]) {
    const prompts = new Map<string, Cost>();
    const parts = new Map<string, UnitRecord[]>();
    for (const record of records) {
      const problem = `${groupName(record)}/${record.index}`;
      // Units of a problem after the first find its prompt in the cache: the dearest reading was the whole one.
      const known = prompts.get(problem) ?? { flops: 0, bytes: 0 };
      const { cost } = record.prompt;
      prompts.set(problem, {
        flops: Math.max(known.flops, cost.flops),
        bytes: Math.max(known.bytes, cost.bytes),
      });
      const key = `${problem}/${record.thinking}/${record.kv}`;
      parts.set(key, [...(parts.get(key) ?? []), record]);
    }
    for (const same of parts.values()) {
      same.sort((a, b) => a.part - b.part);
      const { task, difficulty, index, thinking, kv, prompt } = same[0] as UnitRecord;
      const key = cellKey({ task, difficulty }, thinking, kv);
      const cell = this.#cells.get(key) ?? [];
      cell.push({
        task,
        difficulty,
        index,
        thinking,
        kv,
        promptTokens: prompt.tokens,
        prompt: prompts.get(`${groupName({ task, difficulty })}/${index}`) as Cost,
        samples: same.flatMap((record) => record.samples),
      });
      this.#cells.set(key, cell);
    }
    for (const cell of this.#cells.values()) cell.sort((a, b) => a.index - b.index);
  }

  /** The problems of a group by number; empty where none is done. */
  cell(group: Group, thinking: number, kv: string): readonly ProblemSamples[] {
    return this.#cells.get(cellKey(group, thinking, kv)) ?? [];
  }
}

function cellKey(group: Group, thinking: number, kv: string): string {
  return `${groupName(group)}/${thinking}/${kv}`;
}
