"""The corpus as token ids, and the batches made of it. Nothing here knows a puzzle: `npm run corpus` wrote the file.

A step trains on a random draw of examples. They are sorted by length and packed into micro-batches of about as many
tokens each, one example a row: rows are of nearly one length, so little is padding, and since attention is causal within a
row no example sees another.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterator, List, Tuple

import numpy as np
import torch
from torch import Tensor

IGNORED = -100


class Corpus:
    """Examples as token ids, read from files as large as they may be: little is copied into memory.

    PREFIX.bin: ids, 16 bits each; PREFIX.mask: a byte a token, 1 where it is learned and 0 where it is only read;
    PREFIX.idx: where each example begins, 32 bits each, then the number of tokens; PREFIX.json: what it is.
    """

    def __init__(self, prefix: str):
        about = Path(f"{prefix}.json")
        if not about.exists():
            raise ValueError(f"{about} is not there: write a corpus with `npm run corpus -- --tokens {prefix}`")
        self.meta = json.loads(about.read_text())
        if self.meta.get("format") != "reckon-corpus" or self.meta.get("version") != 1:
            raise ValueError(f"{prefix}.json is not a corpus of this version: write it with `npm run corpus`")
        self.ids = np.memmap(f"{prefix}.bin", dtype="<u2", mode="r")
        self.learned = np.memmap(f"{prefix}.mask", dtype=np.uint8, mode="r")
        self.starts = np.fromfile(f"{prefix}.idx", dtype="<u4").astype(np.int64)
        self.lengths = np.diff(self.starts)
        if not self.starts[-1] == len(self.ids) == len(self.learned) == self.meta["tokens"]:
            raise ValueError(f"{prefix}: index, ids, mask and description disagree: write the corpus again")

    @property
    def vocabulary(self) -> int:
        return self.meta["vocabulary"]

    def __len__(self) -> int:
        return len(self.lengths)

    def example(self, i: int) -> Tuple[np.ndarray, np.ndarray]:
        """Ids and, for each, whether it is learned."""
        place = slice(self.starts[i], self.starts[i + 1])
        return self.ids[place], self.learned[place] != 0


@dataclass
class MicroBatch:
    """tokens [rows, longest − 1] and, at each place, the next token to be learned, or IGNORED.

    weights [rows, 1]: what a learned token of each example counts.
    """

    tokens: Tensor
    targets: Tensor
    weights: Tensor

    @property
    def weight(self) -> float:
        """What all learned tokens count together."""
        return float(((self.targets != IGNORED) * self.weights).sum())

    def to(self, device: torch.device) -> "MicroBatch":
        if device.type == "cpu":
            return self
        move = lambda x: x.pin_memory().to(device, non_blocking=True)  # noqa: E731
        return MicroBatch(move(self.tokens), move(self.targets), move(self.weights))


def pack(corpus: Corpus, examples: np.ndarray, micro_tokens: int, least_weight: float = 1.0) -> List[MicroBatch]:
    """Micro-batches of at most `micro_tokens` places each (one example at least), shortest examples first.

    least_weight: an example with fewer learned tokens counts as if it had so many. Else an answer of one digit behind a long
    thought, a grade, would be lost among hundreds of tokens of the thoughts beside it.
    """
    batches, rows = [], []
    for i in sorted(examples.tolist(), key=lambda i: (corpus.lengths[i], i)):
        # Sorted: the newest is the longest.
        if rows and (len(rows) + 1) * int(corpus.lengths[i] - 1) > micro_tokens:
            batches.append(fill(corpus, rows, least_weight))
            rows = []
        rows.append(i)
    return batches + ([fill(corpus, rows, least_weight)] if rows else [])


def fill(corpus: Corpus, rows: List[int], least_weight: float = 1.0) -> MicroBatch:
    longest = int(max(corpus.lengths[i] for i in rows)) - 1
    tokens = np.zeros((len(rows), longest), dtype=np.int64)
    targets = np.full((len(rows), longest), IGNORED, dtype=np.int64)
    weights = np.ones((len(rows), 1), dtype=np.float32)
    for row, i in enumerate(rows):
        ids, learned = corpus.example(i)
        tokens[row, : len(ids) - 1] = ids[:-1]
        targets[row, : len(ids) - 1] = np.where(learned[1:], ids[1:].astype(np.int64), IGNORED)
        weights[row] = max(1.0, least_weight / max(1, int(learned[1:].sum())))
    return MicroBatch(torch.from_numpy(tokens), torch.from_numpy(targets), torch.from_numpy(weights))


class Stream:
    """An endless, seeded walk over the corpus: every epoch sees each example once, in an order of its own.

    Its whole state is (epoch, next), so that a run that goes on from a checkpoint sees what it would have seen.
    """

    def __init__(self, corpus: Corpus, seed: int, first: int = 0):
        """first: how many examples at the start of the corpus are held back for validation."""
        self.corpus, self.seed, self.first = corpus, seed, first
        if first >= len(corpus):
            raise ValueError(f"{len(corpus)} examples leave none for training beside {first} for validation")
        self.epoch, self.next = 0, 0
        self._order = self._shuffled()

    def _shuffled(self) -> np.ndarray:
        order = np.random.default_rng([self.seed, self.epoch]).permutation(len(self.corpus) - self.first)
        return order + self.first

    def state(self) -> dict:
        return {"epoch": self.epoch, "next": self.next}

    def restore(self, state: dict) -> None:
        self.epoch, self.next = state["epoch"], state["next"]
        self._order = self._shuffled()

    def draw(self, tokens: int) -> np.ndarray:
        """The next examples, as many as together hold at least `tokens` tokens."""
        drawn: List[int] = []
        held = 0
        while held < tokens:
            if self.next == len(self._order):
                self.epoch, self.next = self.epoch + 1, 0
                self._order = self._shuffled()
            i = int(self._order[self.next])
            self.next += 1
            drawn.append(i)
            held += int(self.corpus.lengths[i])
        return np.array(drawn)


def validation(corpus: Corpus, examples: int, micro_tokens: int) -> Iterator[MicroBatch]:
    """The first examples of the corpus, which a Stream with `first=examples` never draws."""
    return iter(pack(corpus, np.arange(min(examples, len(corpus))), micro_tokens))
