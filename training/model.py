"""The decoder: Qwen3's architecture, small. Parameters bear Hugging Face's names, so exporting is writing them down.

Pre-norm RMSNorm, grouped-query attention with RMSNorm over each query and key head (QK-norm), rotary positions in the
"halves" layout, SwiGLU, tied embeddings, no biases. The same forward pass serves training, scoring and sampling.
Works from PyTorch 1.13 on; from 2.0 attention is PyTorch's own fused kernel.
"""

import json
from dataclasses import dataclass, fields
from pathlib import Path
from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

FUSED_ATTENTION = hasattr(F, "scaled_dot_product_attention")


@dataclass(frozen=True)
class ModelConfig:
    """Sizes in elements, by Hugging Face's names."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int = 2048
    rms_norm_eps: float = 1e-6
    rope_theta: float = 10_000.0

    def __post_init__(self):
        if self.num_attention_heads % self.num_key_value_heads:
            raise ValueError("num_attention_heads must be a multiple of num_key_value_heads")
        if self.head_dim % 2:
            raise ValueError("head_dim must be even: rotary positions turn pairs")

    @staticmethod
    def read(path: Path, **overrides) -> "ModelConfig":
        """The fields of a JSON file that are the model's; the trainer's own fields beside them are left alone."""
        known = {field.name for field in fields(ModelConfig)}
        given = {**json.loads(Path(path).read_text()), **overrides}
        return ModelConfig(**{name: value for name, value in given.items() if name in known})

    def hugging_face(self) -> dict:
        """`config.json` as transformers writes it for Qwen3ForCausalLM."""
        return {
            "architectures": ["Qwen3ForCausalLM"],
            "model_type": "qwen3",
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "rope_scaling": None,
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "tie_word_embeddings": True,
            "torch_dtype": "float16",
        }


class RMSNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        # The mean of squares in f32 whatever the activations are in.
        scale = torch.rsqrt(x.float().square().mean(-1, keepdim=True) + self.eps)
        return (x * scale.to(x.dtype)) * self.weight.to(x.dtype)


def rope_tables(positions: int, head_dim: int, theta: float) -> Tuple[Tensor, Tensor]:
    """Cosines and sines, each [positions, head_dim / 2], made in f64."""
    rates = theta ** (-torch.arange(0, head_dim, 2, dtype=torch.float64) / head_dim)
    angles = torch.outer(torch.arange(positions, dtype=torch.float64), rates)
    return angles.cos().float(), angles.sin().float()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """x [..., head_dim] turned by angles that broadcast against [..., head_dim / 2]; pairs are (i, i + head_dim / 2)."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1)


class Cache:
    """Keys and values of every layer for a batch of sequences of different lengths: [layers, batch, kv_heads, room, head_dim]."""

    def __init__(self, config: ModelConfig, batch: int, room: int, like: Tensor):
        shape = (config.num_hidden_layers, batch, config.num_key_value_heads, room, config.head_dim)
        self.keys = torch.zeros(shape, dtype=like.dtype, device=like.device)
        self.values = torch.zeros(shape, dtype=like.dtype, device=like.device)

    @property
    def room(self) -> int:
        return self.keys.shape[3]

    def keep(self, rows: Tensor) -> None:
        """Forgets all sequences but these, in this order; a row may be named more than once."""
        self.keys, self.values = self.keys[:, rows], self.values[:, rows]

    def grow(self, room: int) -> None:
        """Makes room for sequences of `room` tokens."""
        extra = room - self.room
        if extra > 0:
            self.keys = F.pad(self.keys, (0, 0, 0, extra))
            self.values = F.pad(self.values, (0, 0, 0, extra))


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Optional[Tensor]) -> Tensor:
    """Softmax attention. q [batch, heads, rows, head_dim], k and v [batch, heads, columns, head_dim].

    mask: boolean, True where a row may look; None: causal, rows and columns being the same tokens.
    """
    if FUSED_ATTENTION:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None)
    scores = (q @ k.transpose(-1, -2)) * (q.shape[-1] ** -0.5)
    if mask is None:
        rows = scores.shape[-1]
        mask = torch.ones(rows, rows, dtype=torch.bool, device=q.device).tril()
    return scores.masked_fill(~mask, float("-inf")).softmax(-1) @ v


class Attention(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.heads, self.kv_heads, self.head_dim = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.head_dim,
        )
        self.q_proj = nn.Linear(config.hidden_size, self.heads * self.head_dim, bias=False)
        self.k_proj = nn.Linear(config.hidden_size, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(config.hidden_size, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, config.hidden_size, bias=False)
        self.q_norm = RMSNorm(self.head_dim, config.rms_norm_eps)
        self.k_norm = RMSNorm(self.head_dim, config.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask, cached) -> Tensor:
        batch, rows, _ = x.shape
        heads = lambda y, count: y.view(batch, rows, count, self.head_dim).transpose(1, 2)  # noqa: E731
        q = rotate(self.q_norm(heads(self.q_proj(x), self.heads)), cos, sin)
        k = rotate(self.k_norm(heads(self.k_proj(x), self.kv_heads)), cos, sin)
        v = heads(self.v_proj(x), self.kv_heads)
        if cached is not None:
            keys, values, where, columns = cached
            lanes = torch.arange(batch, device=x.device)[:, None]
            # [batch, rows] positions of a [batch, kv_heads, room, head_dim] cache.
            keys[lanes, :, where] = k.transpose(1, 2).to(keys.dtype)
            values[lanes, :, where] = v.transpose(1, 2).to(values.dtype)
            k, v = keys[:, :, :columns].to(q.dtype), values[:, :, :columns].to(q.dtype)
        group = self.heads // self.kv_heads
        if rows == 1:
            # Decoding: the heads of a group are as good as rows of one, and keys and values need not be copied.
            y = attend(q.view(batch, self.kv_heads, group, self.head_dim), k, v, mask)
            return self.o_proj(y.reshape(batch, 1, -1))
        if group > 1:
            # Query head h reads KV head h / group.
            k = k.repeat_interleave(group, dim=1)
            v = v.repeat_interleave(group, dim=1)
        y = attend(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).reshape(batch, rows, -1))


class MLP(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.gate_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.up_proj = nn.Linear(config.hidden_size, config.intermediate_size, bias=False)
        self.down_proj = nn.Linear(config.intermediate_size, config.hidden_size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, config: ModelConfig):
        super().__init__()
        self.input_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.self_attn = Attention(config)
        self.post_attention_layernorm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask, cached) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask, cached)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """`model.*` of the checkpoint."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.embed_tokens = nn.Embedding(config.vocab_size, config.hidden_size)
        self.layers = nn.ModuleList([Layer(config) for _ in range(config.num_hidden_layers)])
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)


class Reasoner(nn.Module):
    """Qwen3ForCausalLM with tied embeddings."""

    def __init__(self, config: ModelConfig, generator: Optional[torch.Generator] = None):
        """generator: where the first weights come from; the same state, the same weights."""
        super().__init__()
        self.config = config
        self.model = Decoder(config)
        cos, sin = rope_tables(config.max_position_embeddings, config.head_dim, config.rope_theta)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        # Projections onto the residual stream start smaller, so that its size does not grow with depth (GPT-2).
        residual = (2 * config.num_hidden_layers) ** -0.5
        for name, weight in self.named_parameters():
            if weight.dim() == 2:
                into_residual = name.endswith(("o_proj.weight", "down_proj.weight"))
                nn.init.zeros_(weight)
                weight.data.normal_(0.0, 0.02 * (residual if into_residual else 1.0), generator=generator)

    def hidden(
        self, tokens: Tensor, cache: Optional[Cache] = None, positions: Optional[Tensor] = None, columns: int = 0
    ) -> Tensor:
        """Normed hidden states [batch, rows, hidden] of tokens [batch, rows].

        Without a cache each row of the batch is one sequence from position 0, attention causal: padding behind an example
        is seen by nobody in front of it. With one, `positions` [batch, rows] say where the tokens stand; they are added
        to the cache and look at its columns up to their own, of which the first `columns` are considered.
        """
        rows = tokens.shape[1]
        x = self.model.embed_tokens(tokens)
        if cache is None:
            cos, sin, mask = self.cos[:rows].to(x.dtype), self.sin[:rows].to(x.dtype), None
        else:
            cos, sin = self.cos[positions][:, None].to(x.dtype), self.sin[positions][:, None].to(x.dtype)
            mask = torch.arange(columns, device=tokens.device) <= positions[:, None, :, None]
        for i, layer in enumerate(self.model.layers):
            cached = None if cache is None else (cache.keys[i], cache.values[i], positions, columns)
            x = layer(x, cos, sin, mask, cached)
        return self.model.norm(x)

    def head(self, hidden: Tensor) -> Tensor:
        """Logits [..., vocabulary] of hidden states [..., hidden]."""
        return F.linear(hidden, self.model.embed_tokens.weight)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.hidden(tokens))

    def parameter_count(self) -> int:
        return sum(weight.numel() for weight in self.parameters())

    def flops_per_token(self, context: float) -> float:
        """FLOPs of training on one token that sees `context` others on average: forward, and twice that backward."""
        c = self.config
        matrices = sum(weight.numel() for weight in self.parameters() if weight.dim() == 2)
        attention = 2 * c.num_hidden_layers * c.num_attention_heads * c.head_dim * context
        return 3 * (2 * matrices + 2 * attention)


def mean_checkpoint(paths: Sequence[Path], device="cpu") -> dict:
    """The first of some checkpoints, its weights replaced by the mean of all: runs that began with the same weights, each on data
    of its own, know more together than each alone (Wortsman et al., 2022, arXiv 2203.05482).
    """
    states = [torch.load(path, map_location=device) for path in paths]
    for path, state in zip(paths, states):
        if state["model_config"] != states[0]["model_config"]:
            raise ValueError(f"{path} and {paths[0]} are of different models")
    weights = {name: sum(state["model"][name] for state in states) / len(states) for name in states[0]["model"]}
    return {**states[0], "model": weights}


def load_weights(model: Reasoner, tensors: List[Tuple[str, Tensor]]) -> None:
    """Puts exported weights into a model; every parameter must be there, and nothing else."""
    given = dict(tensors)
    wanted = dict(model.named_parameters())
    if set(given) != set(wanted):
        raise ValueError(f"the weights do not fit: {sorted(set(given) ^ set(wanted))[:4]} …")
    with torch.no_grad():
        for name, weight in wanted.items():
            weight.copy_(given[name])
