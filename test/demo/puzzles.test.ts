import { describe, expect, it } from 'vitest';
import { FREE, puzzleText, readQuestion, thinkingFor, topicById, topicsFor } from '../../demo/puzzles.ts';
import { isHeldOut } from '../../src/tasks/corpus/index.ts';
import { tracedTasks } from '../../src/tasks/index.ts';

const ids = (model: string) => topicsFor(model).map(({ id }) => id);

describe('topics', () => {
  it('are those that the model knows, and words of one’s own', () => {
    expect(ids('proto')).toEqual(['countdown', 'knights', FREE]);
    expect(ids('reckon-2m')).toEqual(['countdown', 'kk', 'arithmetic', 'recall', FREE]);
    expect(ids('Qwen/Qwen3-0.6B')).toEqual(ids('reckon-2m'));
  });

  it('say of a difficulty what it counts, and where a model was not trained on it', () => {
    const labels = (model: string) => topicById(model, 'kk').difficulties.map(({ label }) => label);
    expect(labels('reckon-2m').slice(2, 4)).toEqual(['4 people', '5 people, untrained']);
    expect(labels('Qwen3-0.6B')[3]).toBe('5 people');
  });

  it('begin with a difficulty they have, and a limit of thinking that suits it', () => {
    for (const model of ['proto', 'reckon-125k', 'Qwen3-0.6B']) {
      for (const topic of topicsFor(model)) {
        if (topic.id !== FREE) expect(topic.difficulties.map(({ value }) => value)).toContain(topic.difficulty);
        expect(thinkingFor(topic, topic.difficulty)).toBeGreaterThan(0);
      }
    }
    const kk = topicById('reckon-2m', 'kk');
    expect(thinkingFor(kk, 4)).toBeGreaterThan(thinkingFor(kk, 2));
    expect(topicById('proto', 'kk').id).toBe('countdown');
  });
});

describe('questions', () => {
  it('reads every puzzle it offers, and offers none that was trained on', () => {
    for (const model of ['proto', 'reckon-1m']) {
      for (const topic of topicsFor(model).filter(({ id }) => id !== FREE)) {
        const traced = tracedTasks.find(({ id }) => id === topic.id);
        for (const { value: difficulty } of topic.difficulties) {
          for (let seed = 0; seed < 2; seed++) {
            const text = puzzleText(topic.id, seed, difficulty);
            const read = readQuestion(topic.id, text);
            expect(read).toMatchObject({ question: { problem: { prompt: text, difficulty } } });
            if (traced && 'question' in read && 'problem' in read.question) {
              expect(isHeldOut(traced, read.question.problem)).toBe(true);
            }
          }
        }
      }
    }
  });

  it('says what is wrong with a malformed puzzle', () => {
    expect(readQuestion('countdown', 'Use 3 5 x to make 22.')).toMatchObject({
      complaint: expect.stringContaining('"x"'),
    });
    expect(readQuestion('countdown', '  ')).toMatchObject({ complaint: expect.stringContaining('nothing') });
    expect(readQuestion('knights', 'A says B is a fool.')).toMatchObject({
      complaint: expect.stringContaining('"fool"'),
    });
  });

  it('takes any words as a prompt of one’s own', () => {
    expect(readQuestion(FREE, 'hello')).toEqual({ question: { prompt: 'hello' } });
  });
});
