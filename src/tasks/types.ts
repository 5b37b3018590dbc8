/** Verifiable tasks: a seeded generator of problems, the prompt a model reads, and a strict verifier of its answer. */

/** A problem of some task. Plain data: it crosses the worker boundary and lands in JSON. */
export interface Problem {
  readonly task: string;
  /** The user turn, in the words the models were trained on. */
  readonly prompt: string;
  /** The task's own scale; higher is harder. */
  readonly difficulty: number;
  /** What the verifier needs (numbers and target, statements …); its shape is the task's own. */
  readonly data: unknown;
}

/** What a verifier says of an answer. `reason` is one sentence, also when right. */
export interface Verdict {
  readonly correct: boolean;
  readonly reason: string;
}

export interface Task {
  readonly id: string;
  /** For people: "Countdown". */
  readonly title: string;
  /** One sentence that tells a person the rules. */
  readonly description: string;
  /** Difficulties `generate` accepts, easiest first. */
  readonly difficulties: readonly number[];
  /** The problem number `seed` of this difficulty; the same arguments give the same problem, for ever. */
  generate(seed: number, difficulty?: number): Problem;
  /**
   * Reads a puzzle a person typed.
   * @throws ReckonError `bad-problem` saying what is wrong with it, where, and what a right one looks like.
   */
  parse(text: string): Problem;
  /** Strict: an answer is right only if it obeys every rule. Never throws on any string. */
  verify(problem: Problem, answer: string): Verdict;
}
