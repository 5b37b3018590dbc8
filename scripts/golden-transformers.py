"""Makes test/golden/transformers.json: logits of tiny random models by their authors' implementations.

    python scripts/golden-transformers.py > test/golden/transformers.json

Needs PyTorch and transformers (made with 2.6 and 4.52.4), installed or as a checkout's src/ on PYTHONPATH; no network.
Weights follow from their names (see `values`), so that only logits need to be kept; test/support/golden-weights.ts makes
the same ones, bit for bit.
"""

import json
import math
import sys

import torch
import transformers

VOCAB = 96
LENGTH = 48
#: Positions whose logits are kept: the first, one on either side of each original context, the last.
KEPT = (0, 15, 33, LENGTH - 1)

COMMON = dict(
    vocab_size=VOCAB,
    hidden_size=64,
    intermediate_size=96,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    max_position_embeddings=128,
    rms_norm_eps=1e-5,
    attn_implementation="eager",
    pad_token_id=0,
)

MODELS = {
    "llama": (
        "Llama",
        dict(
            rope_theta=500000.0,
            rope_scaling=dict(
                rope_type="llama3",
                factor=8.0,
                low_freq_factor=1.0,
                high_freq_factor=4.0,
                original_max_position_embeddings=32,
            ),
            tie_word_embeddings=True,
        ),
    ),
    "llama-linear": ("Llama", dict(rope_theta=1e4, rope_scaling=dict(rope_type="linear", factor=4.0))),
    "qwen2": ("Qwen2", dict(rope_theta=1e6, tie_word_embeddings=False)),
    "qwen3-yarn": (
        "Qwen3",
        dict(
            head_dim=32,
            rope_theta=1e6,
            rope_scaling=dict(rope_type="yarn", factor=4.0, original_max_position_embeddings=32),
            tie_word_embeddings=True,
        ),
    ),
    "qwen3-moe": (
        "Qwen3Moe",
        dict(
            num_hidden_layers=3,
            head_dim=24,
            rope_theta=1e6,
            num_experts=8,
            num_experts_per_tok=3,
            moe_intermediate_size=40,
            norm_topk_prob=True,
            mlp_only_layers=[1],
            tie_word_embeddings=False,
        ),
    ),
    "qwen3-moe-unnormalised": (
        "Qwen3Moe",
        dict(
            head_dim=16,
            rope_theta=1e4,
            num_experts=4,
            num_experts_per_tok=2,
            moe_intermediate_size=48,
            norm_topk_prob=False,
            decoder_sparse_step=2,
            tie_word_embeddings=True,
        ),
    ),
    "phi3": (
        "Phi3",
        dict(
            rope_theta=1e4,
            original_max_position_embeddings=32,
            partial_rotary_factor=0.75,
            rope_scaling=dict(
                type="longrope",
                short_factor=[1.0, 1.0625, 1.125, 1.25, 1.5, 1.75],
                long_factor=[1.0, 1.5, 2.25, 3.5, 5.0, 8.0],
            ),
            tie_word_embeddings=False,
        ),
    ),
}

#: What of a config makes it into config.json: no machinery, nothing that is not the model's.
DROPPED = ("_attn_implementation_autoset", "torch_dtype", "transformers_version", "attn_implementation", "use_cache")


def hash_of(name: str) -> int:
    """FNV-1a, 32 bits."""
    state = 0x811C9DC5
    for byte in name.encode():
        state = ((state ^ byte) * 0x01000193) & 0xFFFFFFFF
    return state


def values(name: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Weights that f16 holds exactly: steps of 2^-10 of a power of two. Gains are 1 +- 0.25, biases +- 0.25, matrices
    uniform with about the variance 1 / inputs."""
    state = hash_of(name)
    count = math.prod(shape)
    steps = []
    for _ in range(count):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        steps.append((state >> 21) - 1024)
    unit = torch.tensor(steps, dtype=torch.float64).reshape(shape) / 1024
    if len(shape) == 1:
        # Gains below 1 have a digit more than f16 keeps above it.
        return unit / 4 if name.endswith(".bias") else 1 + torch.trunc(unit * 256) / 1024
    return unit * 2.0 ** round(math.log2(math.sqrt(3 / shape[1])))


def tokens(length: int) -> list[int]:
    state, out = 7, []
    for _ in range(length):
        state = (state * 1664525 + 1013904223) & 0xFFFFFFFF
        out.append((state >> 8) % VOCAB)
    return out


def golden(kind: str, options: dict) -> dict:
    config = getattr(transformers, f"{kind}Config")(**{**COMMON, **options})
    model = getattr(transformers, f"{kind}ForCausalLM")(config).double().eval()
    state = {
        name: values(name, tuple(tensor.shape))
        for name, tensor in model.state_dict().items()
        if not (config.tie_word_embeddings and name == "lm_head.weight")
    }
    model.load_state_dict(state, strict=False)
    model.tie_weights()
    # A rope that was made in float32 stays so, as it is in use.
    with torch.no_grad():
        full = model(torch.tensor([tokens(LENGTH)])).logits[0]
        short = model(torch.tensor([tokens(20)])).logits[0]
    kept = {str(at): [float(f"{x:.7g}") for x in full[at].tolist()] for at in KEPT}
    json_config = {key: value for key, value in config.to_diff_dict().items() if key not in DROPPED}
    return {
        "config": {**json_config, "architectures": [f"{kind}ForCausalLM"], "hidden_act": config.hidden_act},
        "tensors": {name: list(tensor.shape) for name, tensor in state.items()},
        "logits": kept,
        # Within the original context: where the rotations of longrope are others.
        "short": {"length": 20, "logits": [float(f"{x:.7g}") for x in short[-1].tolist()]},
    }


def main() -> None:
    made = {name: golden(kind, options) for name, (kind, options) in MODELS.items()}
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    head = {"script": "scripts/golden-transformers.py", "versions": versions, "tokens": tokens(LENGTH)}
    json.dump({**head, "models": made}, sys.stdout, separators=(",", ":"))
    sys.stdout.write("\n")


main()
