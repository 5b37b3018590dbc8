/** The reference decoder against the authors' implementations: every architecture, every kind of rotary scaling. */
import { describe, expect, it } from 'vitest';
import { parseModelConfig } from '../../src/checkpoint/index.ts';
import { goldenWeights, readGolden } from '../support/golden-weights.ts';
import { ReferenceDecoder } from './decoder.ts';
import { relativeError } from './load.ts';

const { tokens, models } = readGolden();

describe.each(Object.keys(models))('%s of transformers', (name) => {
  const model = models[name]!;
  const config = parseModelConfig(JSON.stringify(model.config));
  const weights = goldenWeights(model);

  it('has the logits of the reference decoder, read from its own config.json', () => {
    const rows = new ReferenceDecoder(config, weights).logits(tokens);
    for (const [position, logits] of Object.entries(model.logits)) {
      // transformers rounds rotary frequencies to f32, hence angles by up to 6e-8 of themselves.
      expect(relativeError(rows[Number(position)]!, logits), `position ${position}`).toBeLessThan(1e-5);
    }
  });

  it('has them within the context it began with', () => {
    const { length, logits } = model.short;
    const short = { ...config, maxContext: length };
    const rows = new ReferenceDecoder(short, weights).logits(tokens.slice(0, length));
    expect(relativeError(rows.at(-1)!, logits)).toBeLessThan(1e-5);
  });
});
