/** What a person can ask a model: a puzzle of a task it knows, or a prompt of their own. */
import { isReckonError } from '../src/errors.ts';
import { numberedProblem } from '../src/tasks/corpus/split.ts';
import {
  type Language,
  languageOf,
  offersFor,
  type Problem,
  type Task,
  taskById,
  tracedTasks,
} from '../src/tasks/index.ts';

export const FREE = 'free';

/** A task's id, or `FREE`. */
export type TopicId = string;

export interface Topic {
  readonly id: TopicId;
  readonly title: string;
  readonly description: string;
  readonly difficulties: readonly Difficulty[];
  /** The difficulty to begin with. */
  readonly difficulty: number;
  /** The limit of thinking that suits it, tokens, where its difficulty has none of its own. */
  readonly thinking: number;
}

export interface Difficulty {
  readonly value: number;
  /** "3 people"; says so where a model was not trained on it. */
  readonly label: string;
  /** The limit of thinking that suits it, tokens. */
  readonly thinking: number;
}

/** What a difficulty counts, by task. */
const LABELS: Readonly<Record<string, (difficulty: number) => string>> = {
  countdown: (count) => `${count} numbers`,
  kk: (count) => `${count} people`,
  knights: (count) => `${count} people`,
  arithmetic: (level) => `level ${level}`,
  recall: (count) => `${count} entries`,
};

/** A difficulty in words: "3 people". */
export function difficultyLabel({ id }: Task, difficulty: number): string {
  return LABELS[id]?.(difficulty) ?? `difficulty ${difficulty}`;
}

/** Limit of thinking about words of one's own, tokens: what the embedded models think of them is soon said. */
const FREE_THINKING: Readonly<Record<Language, number>> = { family: 200, proto: 200, general: 2048 };

/** What the model of this name can be asked, in order; never empty. */
export function topicsFor(model: string): readonly Topic[] {
  const free = FREE_THINKING[languageOf(model)];
  return [
    ...offersFor(model).map(({ task, difficulty, taught, thinking }) => ({
      id: task.id,
      title: task.title,
      description: task.description,
      difficulty,
      thinking: thinking[difficulty] ?? free,
      difficulties: task.difficulties.map((value) => ({
        value,
        label: `${difficultyLabel(task, value)}${taught === null || taught.includes(value) ? '' : ', untrained'}`,
        thinking: thinking[value] ?? free,
      })),
    })),
    {
      id: FREE,
      title: 'Your own words',
      description: 'Any prompt. Nothing can check the answer, so lanes are compared by votes or by log-probability.',
      difficulty: 0,
      thinking: free,
      difficulties: [],
    },
  ];
}

/** The topic of that id among those of a model; its first where the model does not have it. */
export function topicById(model: string, id: TopicId): Topic {
  const topics = topicsFor(model);
  return topics.find((topic) => topic.id === id) ?? topics[0]!;
}

/** The limit of thinking that suits a topic at a difficulty, tokens. */
export function thinkingFor({ difficulties, thinking }: Topic, difficulty: number): number {
  return difficulties.find(({ value }) => value === difficulty)?.thinking ?? thinking;
}

/** The text of puzzle number `seed`: of what models are trained on, one that no training has seen. */
export function puzzleText(topic: TopicId, seed: number, difficulty: number): string {
  const traced = tracedTasks.find(({ id }) => id === topic);
  if (traced) return numberedProblem(traced, difficulty, seed, true).prompt;
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
