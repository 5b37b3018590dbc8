"""Writes a checkpoint as Hugging Face lays models out: `python3 export.py --checkpoint RUN/checkpoint.pt --out models/NAME`.

`config.json` and `model.safetensors` are written here; the tokenizer's files and `generation_config.json` are the command
line's work (`npm run -s reckon -- corpus --tokenizer FOLDER`), since the vocabulary is TypeScript's.
The format of safetensors: 8 bytes of little-endian length, that many bytes of JSON, the tensors back to back
(https://github.com/huggingface/safetensors, "Format").
"""

import argparse
import json
import struct
from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np
import torch
from torch import Tensor

from model import ModelConfig, Reasoner, mean_checkpoint

DTYPES = {"F16": np.float16, "F32": np.float32}


def write_safetensors(path: Path, tensors: List[Tuple[str, Tensor]], dtype: str = "F16") -> None:
    """@raises ValueError for weights that the format's numbers cannot hold."""
    header: Dict[str, dict] = {"__metadata__": {"format": "pt"}}
    parts: List[bytes] = []
    at = 0
    for name, tensor in tensors:
        values = tensor.detach().cpu().float().numpy().astype(DTYPES[dtype])
        if not np.isfinite(values).all():
            raise ValueError(f"{name} has values beyond {dtype}")
        data = np.ascontiguousarray(values).tobytes()
        header[name] = {"dtype": dtype, "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    # Padded with spaces, so that the tensors begin at a multiple of 8 bytes.
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)))
        file.write(text)
        for data in parts:
            file.write(data)


def read_safetensors(path: Path) -> List[Tuple[str, Tensor]]:
    data = Path(path).read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + length])
    header.pop("__metadata__", None)
    start = 8 + length
    tensors = []
    for name, about in header.items():
        first, end = about["data_offsets"]
        values = np.frombuffer(data[start + first : start + end], dtype=DTYPES[about["dtype"]])
        tensors.append((name, torch.from_numpy(values.astype(np.float32)).reshape(about["shape"])))
    return tensors


def load_model(folder: Path) -> Reasoner:
    """The model as exported, in f32."""
    from model import load_weights

    model = Reasoner(ModelConfig.read(Path(folder) / "config.json"))
    load_weights(model, read_safetensors(Path(folder) / "model.safetensors"))
    return model.eval()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, nargs="+", required=True, help="several: the mean of their weights")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    state = mean_checkpoint(args.checkpoint)
    config = ModelConfig(**state["model_config"])
    model = Reasoner(config)
    model.load_state_dict(state["model"])
    args.out.mkdir(parents=True, exist_ok=True)
    about = {**config.hugging_face(), "bos_token_id": 0, "eos_token_id": state["corpus"].get("end", 2)}
    (args.out / "config.json").write_text(json.dumps(about, indent=1) + "\n")
    write_safetensors(args.out / "model.safetensors", list(model.named_parameters()))
    print(f"{args.out}: {model.parameter_count()} parameters, {(args.out / 'model.safetensors').stat().st_size} bytes")


if __name__ == "__main__":
    main()
