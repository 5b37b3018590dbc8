"""Makes test/golden/mlc.json: a small matrix in MLC's grouped quantisations, by their definition in mlc-llm
(python/mlc_llm/quantization/group_quantization.py and quantization.py), in the model's own precision.

    python scripts/golden-mlc.py > test/golden/mlc.json

Needs numpy. Per group along the inputs: scale = max |w| / m with m = 2^(bits - 1) - 1, code = round(w / scale + m) held
within 0 and 2 m; codes go into u32 words, 32 // bits of them, the earlier in the lower bits; groups are padded.
"""

import json
import sys

import numpy as np

ROWS, COLUMNS = 3, 96
#: name -> bits, group, precision
KINDS = {"q4f16_1": (4, 32, np.float16), "q4f32_1": (4, 32, np.float32), "q3f16_1": (3, 40, np.float16)}


def bf16_bits(values: np.ndarray) -> np.ndarray:
    """The nearest bfloat16, ties to even: how shards keep float32."""
    bits = values.astype(np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def quantise(weight: np.ndarray, bits: int, group: int, precision: type) -> dict:
    most = precision(2 ** (bits - 1) - 1)
    count = -(-COLUMNS // group)
    padded = np.zeros((ROWS, count * group), precision)
    padded[:, :COLUMNS] = weight
    grouped = padded.reshape(ROWS, count, group)
    scale = (np.abs(grouped).max(axis=2) / most).astype(precision)
    codes = np.clip(np.round(grouped / scale[:, :, None] + most), 0, 2 * most).astype(np.uint32)
    per_word = 32 // bits
    words = codes.reshape(ROWS, -1, per_word) << (bits * np.arange(per_word, dtype=np.uint32))
    stored = scale.view(np.uint16) if precision is np.float16 else bf16_bits(scale)
    read = scale if precision is np.float16 else (stored.astype(np.uint32) << 16).view(np.float32)
    values = (codes.astype(np.float64) - float(most)) * np.repeat(read, group, axis=1).reshape(grouped.shape)
    return {
        "words": np.bitwise_or.reduce(words, axis=2).tolist(),
        "scales": stored.tolist(),
        "values": values.reshape(ROWS, -1)[:, :COLUMNS].tolist(),
    }


def main() -> None:
    weight = np.random.default_rng(1).normal(0, 0.1, (ROWS, COLUMNS)).astype(np.float16)
    made = {name: quantise(weight.astype(kind[2]), *kind) for name, kind in KINDS.items()}
    shape = [ROWS, COLUMNS]
    json.dump({"script": "scripts/golden-mlc.py", "shape": shape, "weight": weight.tolist(), "kinds": made}, sys.stdout)
    sys.stdout.write("\n")


main()
