import { describe, expect, it } from 'vitest';
// @ts-expect-error: a script, without types
import { webLlmModels, webLlmVersion } from '../../scripts/web-llm-catalogue.mjs';
import kept from '../../src/catalogue/web-llm.json' with { type: 'json' };

describe("web-llm's models", () => {
  it('are written down as the installed package has them', () => {
    // Make it anew: node scripts/web-llm-catalogue.mjs
    expect(kept).toEqual({ version: webLlmVersion(), models: webLlmModels() });
    expect(kept.models.length).toBeGreaterThan(100);
    expect(new Set(kept.models.map(({ id }) => id)).size).toBe(kept.models.length);
  });
});
