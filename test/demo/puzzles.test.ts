import { describe, expect, it } from 'vitest';
import { FREE, puzzleText, readQuestion, TOPICS, topicById } from '../../demo/puzzles.ts';
import { complaintAbout, DEFAULTS, requestFor, selectorFor } from '../../demo/settings.ts';

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

describe('settings', () => {
  it('complains about what is out of range', () => {
    expect(complaintAbout('lanes', 8)).toBeNull();
    expect(complaintAbout('lanes', 0)).toContain('from 1 to 32');
    expect(complaintAbout('lanes', 2.5)).toContain('whole');
    expect(complaintAbout('lanes', Number.NaN)).not.toBeNull();
    expect(complaintAbout('temperature', 0.7)).toBeNull();
    expect(complaintAbout('temperature', -1)).not.toBeNull();
  });

  it('asks for a run; words of one’s own are not chosen by a verifier that cannot judge them', () => {
    const { signal } = new AbortController();
    const problem = { task: 'countdown', prompt: 'p', difficulty: 3, data: {} };
    expect(requestFor({ problem }, DEFAULTS, signal)).toEqual({
      problem,
      strategy: { name: 'best-of-n', n: 8, select: 'verifier', earlyStop: false },
      sampling: { temperature: 1 },
      thinking: { maxTokens: 200 },
      signal,
    });
    expect(requestFor({ prompt: 'p' }, DEFAULTS, signal).strategy).toMatchObject({ select: 'majority' });
    expect(selectorFor({ ...DEFAULTS, select: 'logprob' }, false)).toBe('logprob');
  });
});
