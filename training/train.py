"""Supervised training on traces: `python3 train.py --config configs/1m.json --corpus PREFIX --out DIR`.

One process, one device. Interrupted, the same command goes on from the last checkpoint and ends with the same weights as if it
had never stopped (same machine, same library). `metrics.jsonl` in the output folder has a line every few steps.
"""

import argparse
import contextlib
import json
import math
import os
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import List

import torch
import torch.nn.functional as F

from data import IGNORED, Corpus, Stream, pack, validation
from model import ModelConfig, Reasoner, mean_checkpoint
from optimizer import make_optimizers

SMOKE = {"tokens": 12_000, "step_tokens": 800, "micro_tokens": 2_048, "warmup_tokens": 1_000, "validation_examples": 16, "log_every": 3}


@dataclass(frozen=True)
class TrainConfig:
    """How to train; read from the "training" part of the model's JSON file."""

    # All tokens to train on, prompts included; the schedule ends there.
    tokens: int
    # Tokens of one optimizer step, and of one forward pass within it (what the device's memory or cache likes best).
    step_tokens: int = 16_384
    micro_tokens: int = 4_096
    warmup_tokens: int = 500_000
    # Peak learning rates of the matrices and of the rest, and the share of the peak where the cosine ends.
    learning_rate: float = 0.01
    embedding_rate: float = 0.003
    final_share: float = 0.02
    weight_decay: float = 0.01
    # An example that has fewer tokens to learn counts as if it had so many: grades are two tokens among hundreds.
    least_weight: float = 1.0
    gradient_norm: float = 1.0
    optimizer: str = "muon"
    # f32, or bf16 for activations and products; weights and their updates are f32 either way.
    precision: str = "f32"
    seed: int = 1
    validation_examples: int = 256
    log_every: int = 20
    validate_every: int = 400
    checkpoint_every: int = 400

    @staticmethod
    def read(path: Path, **overrides) -> "TrainConfig":
        given = {**json.loads(Path(path).read_text()).get("training", {}), **overrides}
        unknown = set(given) - {field.name for field in fields(TrainConfig)}
        if unknown:
            raise ValueError(f"{path}: the training part has no {', '.join(sorted(unknown))}")
        return TrainConfig(**given)


def schedule(tokens: int, config: TrainConfig) -> float:
    """Share of the peak learning rate after so many tokens: linear warm-up, then half a cosine."""
    if tokens < config.warmup_tokens:
        return (tokens + 1) / (config.warmup_tokens + 1)
    through = min(1.0, (tokens - config.warmup_tokens) / max(1, config.tokens - config.warmup_tokens))
    return config.final_share + (1 - config.final_share) * 0.5 * (1 + math.cos(math.pi * through))


def autocast(device: torch.device, precision: str):
    """bf16 products where asked for."""
    if precision == "f32":
        return contextlib.nullcontext()
    if precision != "bf16":
        raise ValueError(f"precision is {precision}; it must be f32 or bf16")
    return torch.autocast(device.type, dtype=torch.bfloat16)


def learned_loss(model: Reasoner, batch) -> torch.Tensor:
    """Cross-entropy, nats, of the tokens to be learned, summed by weight. The head is computed for those places alone."""
    learned = batch.targets != IGNORED
    logits = model.head(model.hidden(batch.tokens)[learned])
    losses = F.cross_entropy(logits.float(), batch.targets[learned], reduction="none")
    return losses @ batch.weights.expand_as(batch.targets)[learned]


class Run:
    """Everything a checkpoint holds, and the loop over it."""

    def __init__(self, model_config: ModelConfig, config: TrainConfig, corpus: Corpus, device: torch.device):
        if int(corpus.lengths.max()) > model_config.max_position_embeddings + 1:
            raise ValueError(f"the longest example has {corpus.lengths.max()} tokens: more than the model's context")
        self.config, self.corpus, self.device = config, corpus, device
        torch.manual_seed(config.seed)
        # Made on the CPU, so that the first weights are the same on every device.
        first = torch.Generator().manual_seed(config.seed)
        self.model = Reasoner(model_config, first).to(device)
        self.optimizers = make_optimizers(self.model, config, device)
        self.stream = Stream(corpus, config.seed, config.validation_examples)
        self.step, self.tokens, self.seconds = 0, 0, 0.0

    def save(self, path: Path) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "stream": self.stream.state(),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
            "model_config": vars(self.model.config),
            "training": vars(self.config),
            "corpus": self.corpus.meta,
        }
        # Written aside and moved, so that an interrupt leaves the old one or the new one, never half of one.
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        os.replace(partial, path)

    def load(self, path: Path) -> None:
        state = torch.load(path, map_location=self.device)
        if state["model_config"] != vars(self.model.config) or state["corpus"] != self.corpus.meta:
            raise ValueError(f"{path} is of another model or corpus; choose another --out, or remove it")
        self.model.load_state_dict(state["model"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"]):
            optimizer.load_state_dict(saved)
        self.stream.restore(state["stream"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]

    def begin_with(self, paths: List[Path]) -> None:
        """Takes another run's weights, or the mean of several runs', and nothing else of them."""
        state = mean_checkpoint(paths, self.device)
        if state["model_config"] != vars(self.model.config):
            raise ValueError(f"{paths[0]} is of another model")
        self.model.load_state_dict(state["model"])

    def train_step(self) -> dict:
        examples = self.stream.draw(self.config.step_tokens)
        batches = pack(self.corpus, examples, self.config.micro_tokens, self.config.least_weight)
        learned = sum(batch.weight for batch in batches)
        total = torch.zeros((), device=self.device)
        for batch in batches:
            with autocast(self.device, self.config.precision):
                loss = learned_loss(self.model, batch.to(self.device)) / learned
            loss.backward()
            total += loss.detach()
        norm = torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.config.gradient_norm)
        share = schedule(self.tokens, self.config)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * share
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        held = int(self.corpus.lengths[examples].sum())
        self.step += 1
        self.tokens += held
        places = sum(batch.tokens.numel() for batch in batches)
        return {"loss": total, "norm": norm, "rate": share, "padding": 1 - (held - len(examples)) / places}

    @torch.no_grad()
    def validate(self) -> float:
        """Mean cross-entropy a token, nats, on the examples held back."""
        loss, count = 0.0, 0
        for batch in validation(self.corpus, self.config.validation_examples, self.config.micro_tokens):
            with autocast(self.device, self.config.precision):
                loss += float(learned_loss(self.model, batch.to(self.device)))
            count += int((batch.targets != IGNORED).sum())
        return loss / count

    def train(self, out: Path, until: int) -> None:
        """Trains until so many tokens in all; writes metrics and checkpoints."""
        checkpoint = out / "checkpoint.pt"
        began, before = time.time() - self.seconds, (self.tokens, time.time())
        while self.tokens < until:
            result = self.train_step()
            self.seconds = time.time() - began
            last = self.tokens >= until
            line = {}
            if last or self.step % self.config.log_every == 0:
                line = {name: round(float(value), 5) for name, value in result.items()}
                line["tokensPerSecond"] = round((self.tokens - before[0]) / (time.time() - before[1]))
                before = (self.tokens, time.time())
            if last or self.step % self.config.validate_every == 0:
                line["validation"] = round(self.validate(), 5)
            if line:
                write_metrics(out, {"step": self.step, "tokens": self.tokens, "seconds": round(self.seconds, 1), **line})
            if last or self.step % self.config.checkpoint_every == 0:
                self.save(checkpoint)


def write_metrics(out: Path, line: dict) -> None:
    """Appends a line to the run's metrics, and says it."""
    with (out / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--config", type=Path, required=True, help="model and training, JSON")
    parser.add_argument("--corpus", required=True, help="what `npm run corpus -- --tokens PREFIX` was told")
    parser.add_argument("--out", type=Path, required=True, help="checkpoint.pt and metrics.jsonl go here")
    parser.add_argument("--init", type=Path, nargs="+", help="a checkpoint.pt whose weights to begin with, or several: their mean")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int, help="CPU threads")
    parser.add_argument("--until", type=int, help="stop after so many tokens in all, the schedule unchanged")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="overrides of the training part")
    parser.add_argument("--validate", action="store_true", help="print the loss on the examples held back, and train nothing")
    parser.add_argument("--smoke", action="store_true", help="a minute's run, to see that everything works")
    args = parser.parse_args()

    if args.threads:
        torch.set_num_threads(args.threads)
    overrides = dict(SMOKE) if args.smoke else {}
    for pair in args.set:
        name, _, value = pair.partition("=")
        try:
            overrides[name] = json.loads(value)
        except ValueError:
            overrides[name] = value
    config = TrainConfig.read(args.config, **overrides)
    corpus = Corpus(args.corpus)
    device = torch.device(args.device)
    model_config = ModelConfig.read(args.config, vocab_size=corpus.vocabulary)
    run = Run(model_config, config, corpus, device)
    args.out.mkdir(parents=True, exist_ok=True)
    checkpoint = args.out / "checkpoint.pt"
    if checkpoint.exists():
        run.load(checkpoint)
        print(f"going on from step {run.step}", flush=True)
    elif args.init:
        run.begin_with(args.init)
    if args.validate:
        print(f"{run.validate():.4f} nats a token held out, after {run.tokens} tokens")
        return
    print(f"{run.model.parameter_count()} parameters, {len(corpus)} examples, {len(corpus.ids)} tokens", flush=True)
    run.train(args.out, min(config.tokens, args.until or config.tokens))


if __name__ == "__main__":
    main()
