/** What a person can ask: a puzzle of a task, or a prompt of their own. */
import { isReckonError } from '../src/errors.ts';
import { type Problem, taskById, tasks } from '../src/tasks/index.ts';

export const FREE = 'free';

/** A task's id, or `FREE`. */
export type TopicId = string;

export interface Topic {
  readonly id: TopicId;
  readonly title: string;
  readonly description: string;
  readonly difficulties: readonly number[];
  /** What a difficulty counts: "numbers", "people". */
  readonly counts: string;
}

const COUNTS: Record<string, string> = { countdown: 'numbers', knights: 'people' };

export const TOPICS: readonly Topic[] = [
  ...tasks.map(({ id, title, description, difficulties }) => ({
    id,
    title,
    description,
    difficulties,
    counts: COUNTS[id] ?? 'difficulty',
  })),
  {
    id: FREE,
    title: 'Your own words',
    description: 'Any prompt. Nothing can check the answer, so lanes are compared by votes or by log-probability.',
    difficulties: [],
    counts: '',
  },
];

export function topicById(id: TopicId): Topic {
  return TOPICS.find((topic) => topic.id === id) ?? TOPICS[0]!;
}

/** The text of puzzle number `seed`. */
export function puzzleText(topic: TopicId, seed: number, difficulty: number): string {
  return taskById(topic).generate(seed, difficulty).prompt;
}

export type Question = { problem: Problem } | { prompt: string };

/** What was typed, as a question for the model, or what is wrong with it. */
export function readQuestion(topic: TopicId, text: string): { question: Question } | { complaint: string } {
  if (text.trim() === '') return { complaint: 'There is nothing to answer yet. Write something here.' };
  if (topic === FREE) return { question: { prompt: text } };
  try {
    return { question: { problem: taskById(topic).parse(text) } };
  } catch (error) {
    if (isReckonError(error, 'bad-problem')) return { complaint: error.message };
    throw error;
  }
}
