"""Draws continuations, many at once, with a KV cache: for evaluation and for reinforcement."""

from dataclasses import dataclass, field
from typing import List, Optional, Sequence

import torch
from torch import Tensor

from model import Cache, Reasoner

ROOM = 128


@dataclass
class Sampling:
    """temperature 0 is greedy. Tokens beyond `max_tokens` are not drawn; nor beyond the model's context."""

    temperature: float = 1.0
    max_tokens: int = 1024
    stop: Sequence[int] = (2, 0)
    # At most so many tokens of thinking: then `close_thinking` is written for the model, as the runtime does.
    max_thinking: Optional[int] = None
    end_thinking: int = 4
    close_thinking: Sequence[int] = ()


@dataclass
class Sample:
    """A continuation: ids behind the prompt, the stop included, and each one's log-probability under the sampling distribution.

    forced[i]: id i was written for the model, not drawn by it.
    """

    prompt: int
    ids: List[int] = field(default_factory=list)
    logprobs: List[float] = field(default_factory=list)
    forced: List[bool] = field(default_factory=list)
    finished: bool = False


@torch.no_grad()
def sample(
    model: Reasoner,
    prompts: Sequence[Sequence[int]],
    sampling: Sampling,
    generator: torch.Generator,
    each: int = 1,
    lanes: int = 512,
) -> List[Sample]:
    """`each` samples of every prompt, in the order of the prompts. At most `lanes` are in flight.

    generator: on the model's device. The same state and arguments give the same samples on the same machine.
    """
    # Prompts of one length class run together: little of a prefill is padding.
    order = sorted(range(len(prompts)), key=lambda i: len(prompts[i]))
    per_batch = max(1, lanes // each)
    samples: List[List[Sample]] = [[] for _ in prompts]
    for first in range(0, len(order), per_batch):
        chosen = order[first : first + per_batch]
        for drawn in _batch(model, [prompts[i] for i in chosen], sampling, generator, each):
            drawn.prompt = chosen[drawn.prompt]
            samples[drawn.prompt].append(drawn)
    return [one for group in samples for one in group]


def _draw(logits: Tensor, temperature: float, generator: torch.Generator) -> "tuple[Tensor, Tensor]":
    """Token and log-probability a row of logits [rows, vocabulary], by the Gumbel-max rule."""
    if temperature == 0:
        tokens = logits.argmax(-1)
        return tokens, torch.zeros(len(tokens), device=logits.device)
    logprobs = (logits / temperature).log_softmax(-1)
    uniform = torch.rand(logits.shape, generator=generator, device=logits.device).clamp_min(1e-20)
    tokens = (logprobs - (-uniform.log()).log()).argmax(-1)
    return tokens, logprobs.gather(-1, tokens[:, None])[:, 0]


def _batch(model: Reasoner, prompts, sampling: Sampling, generator, each: int) -> List[Sample]:
    device = model.cos.device
    lengths = torch.tensor([len(ids) for ids in prompts])
    longest = int(lengths.max())
    padded = torch.zeros(len(prompts), longest, dtype=torch.long)
    for row, ids in enumerate(prompts):
        padded[row, : len(ids)] = torch.tensor(ids)
    cache = Cache(model.config, len(prompts), longest + ROOM, model.model.embed_tokens.weight)
    positions = torch.arange(longest, device=device).expand(len(prompts), -1)
    # What padding writes into the cache lies behind every position looked at, and is overwritten before it is seen.
    hidden = model.hidden(padded.to(device), cache, positions, longest)
    hidden = hidden[torch.arange(len(prompts), device=device), (lengths - 1).to(device)]

    cache.keep(torch.arange(len(prompts), device=device).repeat_interleave(each))
    logits = model.head(hidden).float().repeat_interleave(each, dim=0)
    at = lengths.repeat_interleave(each)
    samples = [Sample(prompt=i // each) for i in range(len(prompts) * each)]
    rows = list(range(len(samples)))  # which sample each row of the cache belongs to
    live = [True] * len(rows)
    thinking = [True] * len(samples)
    pending: List[List[int]] = [[] for _ in samples]
    stop, limit = set(sampling.stop), sampling.max_thinking
    while True:
        drawn, logprobs = _draw(logits, sampling.temperature, generator)
        tokens, values, places = drawn.tolist(), logprobs.tolist(), at.tolist()
        for row, i in enumerate(rows):
            if not live[row]:
                continue
            one = samples[i]
            if limit is not None and thinking[i] and len(one.ids) >= limit and tokens[row] != sampling.end_thinking:
                pending[i], thinking[i] = list(sampling.close_thinking), False
            forced = bool(pending[i])
            if forced:
                tokens[row] = pending[i].pop(0)
            one.ids.append(tokens[row])
            one.logprobs.append(0.0 if forced else values[row])
            one.forced.append(forced)
            thinking[i] = thinking[i] and tokens[row] != sampling.end_thinking
            one.finished = tokens[row] in stop
            full = len(one.ids) >= sampling.max_tokens or places[row] + 1 >= model.config.max_position_embeddings
            live[row] = not (one.finished or full)
        if not any(live):
            return samples
        if sum(live) <= 0.8 * len(live):
            # Rows that have ended cost as much as those that go on; leaving costs a copy of the cache.
            kept = torch.tensor([row for row, on in enumerate(live) if on])
            cache.keep(kept.to(device))
            at, rows, tokens = at[kept], [rows[row] for row in kept.tolist()], [tokens[row] for row in kept.tolist()]
            live = [True] * len(rows)
        columns = int(at.max()) + 1
        if columns > cache.room:
            cache.grow(columns + ROOM)
        hidden = model.hidden(torch.tensor(tokens, device=device)[:, None], cache, at.to(device)[:, None], columns)
        logits = model.head(hidden[:, 0]).float()
        # A row that has ended stands still.
        at = at + torch.tensor(live, dtype=torch.long)
