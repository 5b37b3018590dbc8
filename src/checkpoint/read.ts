/** Reads a checkpoint's small JSON files from its source. */
import { type ModelConfig, parseModelConfig } from './config.ts';
import { type EndTokens, type GenerationDefaults, parseGenerationDefaults } from './generation.ts';
import { type JsonObject, parseJson } from './json.ts';
import { type CheckpointSource, isMissingFile } from './source.ts';

/** A parsed `config.json`, with the JSON it came from. */
export interface ConfigFile {
  readonly model: ModelConfig;
  readonly json: JsonObject;
}

/** @throws ReckonError as `parseModelConfig`; `isMissingFile` when there is no `config.json`; `network`, `aborted`. */
export async function readModelConfig(
  source: CheckpointSource,
  options: { signal?: AbortSignal } = {},
): Promise<ConfigFile> {
  const json = parseJson(await source.text('config.json', options), 'config.json');
  return { model: parseModelConfig(json), json };
}

/** As `parseGenerationDefaults`; a checkpoint without `generation_config.json` has none of its own. */
export async function readGenerationDefaults(
  source: Pick<CheckpointSource, 'text'>,
  config: ConfigFile,
  tokenizer: EndTokens,
  options: { signal?: AbortSignal } = {},
): Promise<GenerationDefaults> {
  const text = await source.text('generation_config.json', options).catch((error: unknown) => {
    if (isMissingFile(error)) return undefined;
    throw error;
  });
  return parseGenerationDefaults(text, config, tokenizer);
}
