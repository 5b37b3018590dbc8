"""What a sample's tokens are worth, from nothing but right and wrong answers. No value model.

`psr`, `nsr` and `w-reinforce` are positive, negative and weighted sample reinforcement (Zhu et al., 2025, arXiv 2506.01347):
no baseline and no normalisation. `grpo` compares a sample with its group (Shao et al., 2024, arXiv 2402.03300).
"""

from typing import Tuple

import torch
from torch import Tensor

MODES = ("psr", "nsr", "w-reinforce", "grpo")


def advantages(rewards: Tensor, mode: str, positive_weight: float = 0.1) -> Tuple[Tensor, Tensor]:
    """rewards [groups, samples], 1 for right and 0 for wrong → advantages of the same shape, and which samples count.

    The loss is the mean over the tokens of samples that count: psr and nsr leave the others out of the mean.
    positive_weight: λ of w-reinforce; 1 is REINFORCE without a baseline, 0 gives nsr's gradients over all tokens.
    """
    right = rewards > 0.5
    everything = torch.ones_like(right)
    if mode == "psr":
        return right.float(), right
    if mode == "nsr":
        return -(~right).float(), ~right
    if mode == "w-reinforce":
        return torch.where(right, torch.full_like(rewards, positive_weight), torch.full_like(rewards, -1.0)), everything
    if mode == "grpo":
        deviation = rewards.std(-1, keepdim=True, unbiased=True)
        return (rewards - rewards.mean(-1, keepdim=True)) / (deviation + 1e-6), everything
    raise ValueError(f"the advantage mode is {mode}; it must be one of {', '.join(MODES)}")


def surrogate(logprobs: Tensor, old: Tensor, advantage: Tensor, clip: float = 0.2) -> Tensor:
    """PPO's clipped loss of each token. logprobs under the model, old under the one that drew it; all of one shape."""
    ratio = (logprobs - old).exp()
    return -torch.minimum(ratio * advantage, ratio.clamp(1 - clip, 1 + clip) * advantage)
