/** The float64 reference decoder as a backend with one sequence, which writes down what it is asked. */

import type { SequenceDriver } from '../../src/backends/sequence/driver.ts';
import { SequenceEngine } from '../../src/backends/sequence/engine.ts';
import type { TextCodec } from '../../src/engine/engine.ts';
import type { ReckonError } from '../../src/errors.ts';
import { protoCodec, protoEngine, tinyEngine } from '../reference/proto.ts';

export interface Watched extends SequenceDriver {
  resets: number;
  /** Tokens of each `forward`. */
  readonly forwards: number[];
  /** The next `forward` fails with this. */
  failure: ReckonError | null;
  disposed: boolean;
}

/** @param tiny one random layer instead of the embedded model. */
export function referenceDriver(tiny = true): Watched {
  const { options } = tiny ? tinyEngine(3) : protoEngine();
  let session = options.decoder.session();
  let working = false;
  const watched: Watched = {
    name: 'the reference',
    vocabulary: options.decoder.config.vocabSize,
    maxContext: options.maxContext,
    bytesPerToken: 0,
    resets: 0,
    forwards: [],
    failure: null,
    disposed: false,
    async reset() {
      watched.resets++;
      session = options.decoder.session();
    },
    async forward(tokens) {
      if (working) throw new Error('Two calls at a time.');
      if (watched.disposed) throw new Error('It was disposed.');
      working = true;
      await new Promise((resolve) => setImmediate(resolve));
      working = false;
      const { failure } = watched;
      watched.failure = null;
      if (failure) throw failure;
      watched.forwards.push(tokens.length);
      let logits: ArrayLike<number> = [];
      for (const token of tokens) logits = session.push(token);
      return Float32Array.from(logits);
    },
    dispose() {
      watched.disposed = true;
    },
  };
  return watched;
}

const codec: TextCodec = {
  encode: (text) => protoCodec.encode(text),
  decode: (tokens) => protoCodec.decode(tokens),
  sink: () => ({ push: (token) => ({ text: protoCodec.decode([token]), stopped: false }), flush: () => '' }),
};

export function engineOver(driver: SequenceDriver): SequenceEngine {
  return new SequenceEngine({ driver, codec, stopTokens: [2, 0], device: protoEngine().device });
}
