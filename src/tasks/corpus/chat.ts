/** The chat format of the embedded family, and how length, grades and difficulty are asked for in it. */
import { IM_END, SPECIALS } from './vocabulary.ts';

/**
 * With thinking, the assistant's turn is opened with `<think>` and a newline; without, by an empty thought, behind which the
 * answer comes at once.
 */
export const CHAT_TEMPLATE =
  '{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}' +
  '{% if add_generation_prompt %}<|im_start|>assistant\n<think>\n' +
  // A line break right behind a block belongs to the template, not to the text: this one is written as text.
  "{% if enable_thinking is defined and not enable_thinking %}{{ '\\n</think>\\n' }}{% endif %}{% endif %}";

/** How a person asks for a length of thought; asked for nothing, a model takes what a problem's difficulty calls for. */
export const SYSTEM_PROMPTS = { full: 'Think in full.', pruned: 'Think briefly.' } as const;

/** Behind the steps so far, closed as an assistant's turn: answered without thinking by one digit, 0 to 9. */
export const GRADE_QUESTION = 'Grade the last step.';

/** Before a problem: answered without thinking by `easy`, `medium` or `hard`. */
export const LEVEL_QUESTION = 'How hard is this?';

/** What opens the assistant's turn where it answers at once. */
export const WITHOUT_THINKING = '<think>\n\n</think>\n';

export interface Turn {
  readonly role: 'system' | 'user' | 'assistant';
  readonly content: string;
}

/** What the template makes of a conversation, with the assistant's turn opened. */
export function renderTurns(turns: readonly Turn[], thinking: boolean): string {
  const said = turns.map(({ role, content }) => `<|im_start|>${role}\n${content}<|im_end|>\n`).join('');
  return `${said}<|im_start|>assistant\n${thinking ? '<think>\n' : WITHOUT_THINKING}`;
}

/** An assistant's turn that has not come to an end: the steps so far. */
export function unfinished(steps: readonly string[]): string {
  return `<think>\n${steps.join('\n')}`;
}

export function tokenizerConfig(context: number): Record<string, unknown> {
  const [endOfText] = SPECIALS;
  return {
    tokenizer_class: 'PreTrainedTokenizerFast',
    bos_token: endOfText,
    eos_token: SPECIALS[IM_END],
    pad_token: endOfText,
    unk_token: endOfText,
    model_max_length: context,
    clean_up_tokenization_spaces: false,
    chat_template: CHAT_TEMPLATE,
  };
}

export function generationConfig(): Record<string, unknown> {
  return { bos_token_id: 0, eos_token_id: [IM_END, 0], do_sample: true, temperature: 1.0, top_p: 1.0 };
}
