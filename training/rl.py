"""Reinforcement with verifiable rewards: `python3 rl.py --checkpoint RUN/checkpoint.pt --mode w-reinforce --out RUN-rl`.

Each round draws several answers to each of some training problems, has them verified by the tasks themselves, and takes a few
optimizer steps on the policy gradient. Interrupted, the same command goes on from the last checkpoint.
"""

import argparse
import os
import time
from pathlib import Path
from typing import List

import torch

from advantages import MODES, advantages, surrogate
from bridge import Tasks
from evaluate import cells_of
from model import ModelConfig, Reasoner
from sample import Sample, Sampling, sample
from train import write_metrics


def policy_loss(model: Reasoner, prompts, samples: List[Sample], worth: torch.Tensor) -> torch.Tensor:
    """Summed loss over the drawn tokens of `samples`. worth [samples]."""
    device = model.cos.device
    rows = [prompts[one.prompt] + one.ids for one in samples]
    longest = max(map(len, rows)) - 1
    tokens = torch.zeros(len(rows), longest, dtype=torch.long)
    drawn = torch.zeros(len(rows), longest, dtype=torch.bool)
    old = torch.zeros(len(rows), longest)
    targets = torch.zeros(len(rows), longest, dtype=torch.long)
    for row, (ids, one) in enumerate(zip(rows, samples)):
        first = len(ids) - len(one.ids) - 1
        tokens[row, : len(ids) - 1] = torch.tensor(ids[:-1])
        targets[row, : len(ids) - 1] = torch.tensor(ids[1:])
        drawn[row, first : len(ids) - 1] = ~torch.tensor(one.forced)
        old[row, first : len(ids) - 1] = torch.tensor(one.logprobs)
    tokens, drawn, old, targets = (x.to(device) for x in (tokens, drawn, old, targets))
    logits = model.head(model.hidden(tokens)[drawn]).float()
    logprobs = logits.log_softmax(-1).gather(-1, targets[drawn][:, None])[:, 0]
    each = worth.to(device)[:, None].expand(-1, longest)[drawn]
    return surrogate(logprobs, old[drawn], each).sum()


def drawn_tokens(samples: List[Sample]) -> int:
    return sum(len(one.ids) - sum(one.forced) for one in samples)


def micro_batches(samples: List[int], lengths: List[int], micro_tokens: int) -> List[List[int]]:
    """Numbers of samples, shortest first, cut so that rows times longest stays within `micro_tokens`."""
    batches: List[List[int]] = [[]]
    for i in sorted(samples, key=lambda i: lengths[i]):
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > micro_tokens:
            batches.append([])
        batches[-1].append(i)
    return [batch for batch in batches if batch]


def improve(model, optimizer, prompts, samples: List[Sample], worth, counts, steps: int, micro_tokens: int) -> float:
    """`steps` optimizer steps, each on its share of the groups' samples; the loss is the mean over the tokens that count.

    Returns the largest norm of a step's gradient, before it was clipped.
    """
    largest = 0.0
    counted = [i for i, on in enumerate(counts.flatten().tolist()) if on]
    flat = worth.flatten()
    lengths = [len(prompts[one.prompt]) + len(one.ids) for one in samples]
    for step in range(steps):
        share = counted[step::steps]
        total = drawn_tokens([samples[i] for i in share])
        if total == 0:
            continue
        for batch in micro_batches(share, lengths, micro_tokens):
            loss = policy_loss(model, prompts, [samples[i] for i in batch], flat[batch]) / total
            loss.backward()
        largest = max(largest, float(torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)))
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return largest


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--checkpoint", type=Path, required=True, help="where supervised training ended")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--mode", choices=MODES, default="w-reinforce")
    parser.add_argument("--positive-weight", type=float, default=0.1, help="λ of w-reinforce")
    parser.add_argument("--cells", default="kk:3-4,countdown:3-4", help="tasks and difficulties")
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--groups", type=int, default=64, help="problems a round")
    parser.add_argument("--samples", type=int, default=8, help="answers to each")
    parser.add_argument("--steps", type=int, default=1, help="optimizer steps a round")
    parser.add_argument("--rate", type=float, default=0.5, help="learning rate of gradient descent, falling to 0")
    parser.add_argument("--momentum", type=float, default=0.9)
    parser.add_argument("--max-tokens", type=int, default=768)
    parser.add_argument("--micro-tokens", type=int, default=8192)
    parser.add_argument("--lanes", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()

    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    cells = cells_of(args.cells)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / "checkpoint.pt"
    state = torch.load(checkpoint if checkpoint.exists() else args.checkpoint, map_location=device)
    model = Reasoner(ModelConfig(**state["model_config"])).to(device)
    model.load_state_dict(state["model"])
    # Not an adaptive optimizer: where right and wrong answers say little about a single weight, that makes a step of full size out
    # of noise, and walks away from what supervised training had settled.
    optimizer = torch.optim.SGD(model.parameters(), lr=args.rate, momentum=args.momentum)
    first = 0
    if checkpoint.exists():
        optimizer.load_state_dict(state["optimizer"])
        first = state["round"]
    sampling = Sampling(max_tokens=args.max_tokens, stop=(state["corpus"].get("end", 2), 0))
    with Tasks() as tasks:
        for number in range(first, args.rounds):
            began = time.time()
            # A round's draws follow from the seed and its number, so that going on repeats nothing.
            generator = torch.Generator(device=device).manual_seed(args.seed * 1_000_003 + number)
            per_cell = max(1, args.groups // len(cells))
            problems = [
                problem
                for task, difficulty in cells
                for problem in tasks.problems(task, difficulty, number * per_cell, per_cell, held_out=False)
            ]
            prompts = [problem["ids"] for problem in problems]
            samples = sample(model, prompts, sampling, generator, args.samples, args.lanes)
            verdicts = tasks.verify(
                [
                    {"task": problems[one.prompt]["task"], "prompt": problems[one.prompt]["prompt"], "ids": one.ids}
                    for one in samples
                ]
            )
            rewards = torch.tensor([float(verdict["correct"]) for verdict in verdicts]).view(len(prompts), args.samples)
            worth, counts = advantages(rewards, args.mode, args.positive_weight)
            for group in optimizer.param_groups:
                group["lr"] = args.rate * (1 - number / args.rounds)
            norm = improve(model, optimizer, prompts, samples, worth, counts, args.steps, args.micro_tokens)
            tokens = drawn_tokens(samples)
            line = {
                "round": number + 1,
                "reward": round(float(rewards.mean()), 4),
                "solvedGroups": round(float((rewards.sum(-1) > 0).float().mean()), 4),
                # Monte Carlo estimate of the entropy a token, nats.
                "entropy": round(-sum(sum(one.logprobs) for one in samples) / tokens, 4),
                "length": round(tokens / len(samples), 1),
                "finished": round(sum(one.finished for one in samples) / len(samples), 4),
                "norm": round(norm, 5),
                "seconds": round(time.time() - began, 1),
            }
            write_metrics(args.out, line)
            if (number + 1) % 10 == 0 or number + 1 == args.rounds:
                partial = checkpoint.with_suffix(".partial")
                saved = {**state, "model": model.state_dict(), "optimizer": optimizer.state_dict(), "round": number + 1}
                torch.save({k: v for k, v in saved.items() if k != "optimizers"}, partial)
                os.replace(partial, checkpoint)


if __name__ == "__main__":
    main()
