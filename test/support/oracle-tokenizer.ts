/** Hugging Face's own tokenizers, written in Rust, as `@mlc-ai/web-tokenizers` compiles them: to hold the library against. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { compileFunction, constants } from 'node:vm';

export interface OracleTokenizer {
  encode(text: string): Int32Array;
  decode(ids: Int32Array): string;
}

interface Exports {
  Tokenizer: { fromJSON(json: ArrayBuffer): Promise<OracleTokenizer> };
}

/** @param json The text of a `tokenizer.json`. */
export async function oracleTokenizer(json: string): Promise<OracleTokenizer> {
  const require = createRequire(import.meta.url);
  const path = require.resolve('@mlc-ai/web-tokenizers');
  // The package calls itself an ES module, but its only file is a CommonJS one.
  const module = { exports: {} as Exports };
  const run = compileFunction(readFileSync(path, 'utf8'), ['exports', 'module', 'require', '__filename', '__dirname'], {
    importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
  run(module.exports, module, require, path, '');
  return module.exports.Tokenizer.fromJSON(new TextEncoder().encode(json).buffer as ArrayBuffer);
}
