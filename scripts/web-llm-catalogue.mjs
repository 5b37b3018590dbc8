/**
 * `node scripts/web-llm-catalogue.mjs`: writes `src/catalogue/web-llm.json`, what the installed version of web-llm offers
 * in its `prebuiltAppConfig`. Written down rather than imported, since the package is 7 MB of program; a test holds the
 * file against the package.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { prebuiltAppConfig } from '@mlc-ai/web-llm';
import { root, say } from './bootstrap.mjs';

/** Language models alone, each once: the entries ending in "-1k" are the same files with a shorter context. */
export function webLlmModels(modelList = prebuiltAppConfig.model_list) {
  return modelList
    .filter(({ model_id, model_type = 0 }) => model_type === 0 && !model_id.endsWith('-1k'))
    .map(({ model_id, model, vram_required_MB, overrides, required_features = [] }) => ({
      id: model_id,
      repository: new URL(model).pathname.slice(1),
      memoryMB: Math.round(vram_required_MB),
      context: overrides?.context_window_size ?? 4096,
      ...(required_features.includes('shader-f16') ? { f16: true } : {}),
    }));
}

export function webLlmVersion() {
  return JSON.parse(readFileSync(join(root, 'node_modules/@mlc-ai/web-llm/package.json'), 'utf8')).version;
}

if (process.argv[1] === import.meta.filename) {
  const models = webLlmModels();
  const text = JSON.stringify({ version: webLlmVersion(), models }, null, 2);
  writeFileSync(join(root, 'src/catalogue/web-llm.json'), `${text}\n`);
  say(`Wrote src/catalogue/web-llm.json: ${models.length} models.`);
}
