/** A tensor as a file holds it: where its bytes are, and how rows of them become values. The same for every format. */
import type { MatrixEncoding, QuantizedChunk, QuantizedEncoding } from './quantized.ts';

/** A part of a file, bytes. */
export interface Span {
  readonly file: string;
  readonly start: number;
  readonly end: number;
}

/** What turns a format's own bytes into the neutral form. */
export interface Codec {
  readonly encoding: QuantizedEncoding;
  /** Bytes that a row of `columns` elements takes in each span. */
  rowBytes(columns: number): readonly number[];
  /**
   * @param parts The bytes of `rows` whole rows, span by span, each a buffer of its own from offset 0. They may be kept.
   */
  decode(
    parts: readonly Uint8Array<ArrayBuffer>[],
    rows: number,
    columns: number,
  ): Pick<QuantizedChunk, 'codes' | 'scales' | 'biases'>;
}

/** A matrix [rows, columns] (of more dimensions, all but the last are rows), or a vector [rows]. */
export interface StoredTensor {
  /** As the file spells it. */
  readonly name: string;
  readonly rows: number;
  /** Null for a vector. */
  readonly columns: number | null;
  readonly encoding: MatrixEncoding;
  /** Null for floats. */
  readonly codec: Codec | null;
  /** Floats or codes first, then what goes with the codes. Row by row, without gaps. */
  readonly spans: readonly [Span, ...Span[]];
  /** Rows a head, where the file has its two halves interleaved (GGUF's Llama): row 2i + h is row h · headRows / 2 + i. */
  readonly interleavedHead: number | null;
}

/** [rows, columns], or [rows]. */
export function storedShape({ rows, columns }: StoredTensor): readonly number[] {
  return columns === null ? [rows] : [rows, columns];
}

/** Rows `first` and on, as a tensor of their own. */
export function sliceRows(stored: StoredTensor, first: number, rows: number): StoredTensor {
  if (first === 0 && rows === stored.rows) return stored;
  const spans = stored.spans.map(({ file, start, end }) => {
    const row = (end - start) / stored.rows;
    return { file, start: start + first * row, end: start + (first + rows) * row };
  });
  return { ...stored, rows, spans: spans as [Span, ...Span[]] };
}

/** Bytes it takes in its files. */
export function storedBytes({ spans }: StoredTensor): number {
  return spans.reduce((sum, { start, end }) => sum + end - start, 0);
}
