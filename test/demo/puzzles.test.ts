import { describe, expect, it } from 'vitest';
import { FREE, puzzleText, readQuestion, TOPICS, topicById } from '../../demo/puzzles.ts';

describe('questions', () => {
  it('reads every puzzle it offers', () => {
    for (const topic of TOPICS.filter(({ id }) => id !== FREE)) {
      for (const difficulty of topic.difficulties) {
        for (let seed = 0; seed < 5; seed++) {
          const text = puzzleText(topic.id, seed, difficulty);
          expect(readQuestion(topic.id, text)).toMatchObject({ question: { problem: { prompt: text, difficulty } } });
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
    expect(topicById('no such').id).toBe(TOPICS[0]!.id);
  });
});
