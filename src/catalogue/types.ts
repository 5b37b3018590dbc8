/** The words of the catalogue. */
import type { ModelShape } from '../cost/shapes.ts';

export interface Licence {
  /** As people say it: "Apache-2.0". */
  readonly name: string;
  /** Where its text is. */
  readonly url: string;
}

/** How a checkpoint's weights are written down. */
export type StoredAs = 'bf16' | 'f16' | 'q0f16' | 'q0f32' | 'q3f16_1' | 'q4f16_1' | 'q4f32_1';

/** A checkpoint that can be chosen by name. */
export interface CatalogueModel {
  /** Its name in the catalogue, unlike all others: "Qwen3-0.6B", "Qwen3-0.6B-q4f16_1-MLC". */
  readonly id: string;
  /** Whose weights they are, whatever the format: "Qwen3-0.6B". Entries alike in this differ in format alone. */
  readonly model: string;
  /** `embedded`: a folder beside the page. `repository`: an id on the hub. */
  readonly kind: 'embedded' | 'repository';
  /** The folder, or "owner/name". */
  readonly source: string;
  readonly format: 'safetensors' | 'mlc';
  readonly stored: StoredAs;
  /** As `config.json` names it; null where nobody wrote it down here. */
  readonly architecture: string | null;
  /** Null for models that Reckon's decoder does not know. */
  readonly shape: ModelShape | null;
  /** Bytes of weights to fetch; null where they are not known. Worked out from the shape, to a percent. */
  readonly downloadBytes: number | null;
  /** Longest sequence the model was made for, tokens. */
  readonly context: number;
  readonly licence: Licence;
  /** Its repository gives files only to those who have accepted the licence: it takes an access token. */
  readonly gated: boolean;
  /** It was trained to think before it answers. */
  readonly thinks: boolean;
  /** Its id among web-llm's models, where that backend can run it. */
  readonly webLlm: { readonly id: string; readonly memoryMB: number; readonly needsF16: boolean } | null;
}
