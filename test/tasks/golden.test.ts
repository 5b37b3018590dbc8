import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { problemFromText, taskById } from '../../src/tasks/index.ts';
import { wordLevelCodec } from '../reference/codec.ts';

interface Case {
  question: string;
  promptIds: number[];
  greedyText: string;
  correct: boolean;
}

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8');
const { cases } = JSON.parse(read('../golden/proto.json')) as { cases: Case[] };
const codec = wordLevelCodec(read('../../models/proto/tokenizer.json'));

describe('tasks against the golden cases of the proto model', () => {
  it.each(cases)('$question', ({ question, promptIds, greedyText, correct }) => {
    const problem = problemFromText(question);
    // The prompt is the question to the letter, and so to the token.
    expect(problem.prompt).toBe(question);
    const turn = `<|im_start|>user\n${problem.prompt}<|im_end|>\n<|im_start|>assistant\n<think>\n`;
    expect(codec.encode(turn)).toEqual(promptIds);
    // The verdict agrees with the one recorded when the model was made.
    const answer = greedyText.split('</think>\n')[1]?.replace('<|im_end|>', '') ?? '';
    expect(taskById(problem.task).verify(problem, answer).correct).toBe(correct);
  });

  it('generated problems are in the words of the vocabulary', () => {
    for (const id of ['countdown', 'knights']) {
      for (let seed = 0; seed < 40; seed++) {
        const { prompt } = taskById(id).generate(seed);
        expect(codec.decode(codec.encode(prompt))).toBe(prompt);
      }
    }
  });
});
