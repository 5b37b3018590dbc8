/** The tasks over a pipe, as training/bridge.py asks them. */
import { describe, expect, it } from 'vitest';
import { answers } from '../../src/cli/verify.ts';
import { encodeFamily, isHeldOut, VOCABULARY } from '../../src/tasks/corpus/index.ts';
import { Random, tracedTaskById, tracedTasks } from '../../src/tasks/index.ts';

interface Posed {
  task: string;
  difficulty: number;
  prompt: string;
  ids: number[];
}
interface Verdict {
  correct: boolean;
  reason: string;
  answer: string;
  thinking: number | null;
}
interface Reply {
  problems?: Posed[];
  verdicts?: Verdict[];
  error?: string;
}

async function ask(...requests: unknown[]): Promise<Reply[]> {
  async function* lines() {
    for (const request of requests) yield typeof request === 'string' ? request : JSON.stringify(request);
  }
  const replies: Reply[] = [];
  for await (const line of answers(lines())) replies.push(JSON.parse(line) as Reply);
  return replies;
}

const cells = tracedTasks.flatMap(({ id, difficulties }) =>
  difficulties.map((difficulty) => ({ task: id, difficulty })),
);

describe('reckon verify', () => {
  it.each(cells)('poses $task/$difficulty and knows a right answer from a wrong one', async ({ task, difficulty }) => {
    const cell = { task, difficulty, count: 3 };
    const [all, later, training] = await ask(
      { problems: { ...cell, first: 0, heldOut: true } },
      { problems: { ...cell, first: 2, count: 1, heldOut: true } },
      { problems: { ...cell, first: 0, heldOut: false, system: 'Think briefly.' } },
    );
    // A number names a problem, however it is asked for.
    expect(later!.problems![0]).toEqual(all!.problems![2]);
    const traced = tracedTaskById(task);
    for (const [held, posed] of [
      ...all!.problems!.map((p) => [true, p]),
      ...training!.problems!.map((p) => [false, p]),
    ] as [boolean, Posed][]) {
      const problem = traced.parse(posed.prompt);
      expect(isHeldOut(traced, problem)).toBe(held);
      const text = posed.ids.map((id) => VOCABULARY[id]).join('');
      const system = held ? '' : '<|im_start|>system\nThink briefly.<|im_end|>\n';
      expect(text).toBe(`${system}<|im_start|>user\n${posed.prompt}<|im_end|>\n<|im_start|>assistant\n<think>\n`);
      const trace = traced.trace(problem, Random.fromSeed(1))!;
      const written = `${trace.steps.map((step) => step.text).join('\n')}\n</think>\n${trace.answer}<|im_end|>`;
      const item = { task, prompt: posed.prompt };
      const [reply] = await ask({
        verify: [
          { ...item, ids: encodeFamily(written) },
          { ...item, text: written.replace(trace.answer, '7') },
          { ...item, text: trace.answer },
        ],
      });
      const [right, wrong, unclosed] = reply!.verdicts!;
      expect(right).toMatchObject({ correct: true, answer: trace.answer });
      expect(right!.thinking).toBe(encodeFamily(`${trace.steps.map((step) => step.text).join('\n')}\n`).length);
      expect(wrong!.correct).toBe(false);
      expect(unclosed).toMatchObject({ correct: false, thinking: null });
    }
  });

  it('answers a line that makes no sense by what is wrong with it, and reads on', async () => {
    const good = { problems: { task: 'countdown', difficulty: 3, first: 0, count: 1, heldOut: true } };
    const replies = await ask(
      'no JSON',
      [],
      { verify: [{ task: 'chess', prompt: '', text: '</think>' }] },
      { verify: [{ task: 'countdown', prompt: 'Use 3 4 to make 7.', ids: [9999] }] },
      { problems: { ...good.problems, count: -1 } },
      { problems: { ...good.problems, difficulty: 77 } },
      '',
      good,
    );
    expect(replies).toHaveLength(7);
    for (const { error } of replies.slice(0, 6)) expect(error).toMatch(/\w{3}/);
    expect(replies[2]!.error).toContain('chess');
    expect(replies[6]!.problems).toHaveLength(1);
  });
});
