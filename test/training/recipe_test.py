"""The recipe's parts against vectors, against each other and against what they promise. Run by recipe.test.ts."""

import json
import math
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "training"))

import export  # noqa: E402
from advantages import advantages, surrogate  # noqa: E402
from data import IGNORED, Corpus, Stream, fill, pack  # noqa: E402
from model import ModelConfig, Reasoner  # noqa: E402
from optimizer import orthogonalised  # noqa: E402
from rl import improve  # noqa: E402
from sample import Sample, Sampling, sample  # noqa: E402
from train import Run, TrainConfig, learned_loss, schedule  # noqa: E402

CONFIG = ModelConfig(32, 48, 2, 4, 2, 8, vocab_size=40, max_position_embeddings=128)


def lively(seed: int = 1) -> Reasoner:
    """A model whose weights are large enough that its logits depend on everything it reads."""
    model = Reasoner(CONFIG, torch.Generator().manual_seed(seed)).eval()
    for weight in model.parameters():
        if weight.dim() == 2:
            weight.data.mul_(8)
    return model


def small_corpus(folder: str, examples: int = 60) -> Corpus:
    random = np.random.default_rng(3)
    lengths = random.integers(4, 30, examples)
    ids = random.integers(5, 40, lengths.sum()).astype("<u2")
    mask = np.concatenate([np.arange(n) >= n // 3 for n in lengths]).astype(np.uint8)
    prefix = str(Path(folder) / "corpus")
    ids.tofile(prefix + ".bin")
    mask.tofile(prefix + ".mask")
    np.concatenate([[0], np.cumsum(lengths)]).astype("<u4").tofile(prefix + ".idx")
    about = {"format": "reckon-corpus", "version": 1, "tokens": int(lengths.sum()), "vocabulary": 40, "end": 2}
    Path(prefix + ".json").write_text(json.dumps(about))
    return Corpus(prefix)


class Advantages(unittest.TestCase):
    REWARDS = torch.tensor([[1.0, 0.0, 0.0, 1.0], [0.0, 0.0, 0.0, 0.0]])

    def test_positive_and_negative_samples_alone(self):
        worth, counts = advantages(self.REWARDS, "psr")
        self.assertEqual(worth.tolist(), [[1, 0, 0, 1], [0, 0, 0, 0]])
        self.assertEqual(counts.tolist(), [[True, False, False, True], [False] * 4])
        worth, counts = advantages(self.REWARDS, "nsr")
        self.assertEqual(worth.tolist(), [[0, -1, -1, 0], [-1] * 4])
        self.assertEqual(counts.tolist(), [[False, True, True, False], [True] * 4])

    def test_weighted(self):
        worth, counts = advantages(self.REWARDS, "w-reinforce", 0.1)
        torch.testing.assert_close(worth, torch.tensor([[0.1, -1, -1, 0.1], [-1.0] * 4]))
        self.assertTrue(counts.all())

    def test_grpo_normalises_by_the_unbiased_deviation(self):
        worth, _ = advantages(self.REWARDS, "grpo")
        deviation = math.sqrt(1 / 3)  # of 1, 0, 0, 1 about 1/2, three degrees of freedom
        torch.testing.assert_close(worth[0], torch.tensor([0.5, -0.5, -0.5, 0.5]) / (deviation + 1e-6))
        self.assertEqual(worth[1].tolist(), [0] * 4)

    def test_direction_on_logits(self):
        """The vector of the paper's gradient analysis: the direction of descent, times the drawn token's probability."""
        for sign in (1.0, -1.0):
            logits = torch.tensor([1.0, 0.5, -0.3, 0.2], requires_grad=True)
            logprob = logits.log_softmax(-1)[0]
            surrogate(logprob, logprob.detach(), torch.tensor(sign)).backward()
            direction = -logits.grad * logprob.detach().exp()
            expected = sign * torch.tensor([0.24503, -0.11188, -0.05027, -0.08288])
            torch.testing.assert_close(direction, expected, atol=1e-5, rtol=0)

    def test_clipping_stops_what_has_moved_far_enough(self):
        for advantage, logprob, moves in [(1.0, 0.3, False), (1.0, -0.3, True), (-1.0, -0.3, False), (-1.0, 0.3, True)]:
            new = torch.tensor(logprob, requires_grad=True)
            surrogate(new, torch.tensor(0.0), torch.tensor(advantage)).backward()
            self.assertEqual(bool(new.grad != 0), moves)


class Decoding(unittest.TestCase):
    PROMPTS = [[1, 5, 9, 20], [7] * 9, [3, 4], [8, 8, 8, 1, 2]]

    def test_greedy_sampling_with_the_cache_is_the_whole_forward_pass(self):
        model = lively()
        sampling = Sampling(temperature=0, max_tokens=24, stop=(39,))
        for one in sample(model, self.PROMPTS, sampling, torch.Generator(), each=2, lanes=6):
            prompt = self.PROMPTS[one.prompt]
            logits = model(torch.tensor([prompt + one.ids]))[0, len(prompt) - 1 : -1]
            self.assertEqual(logits.argmax(-1).tolist(), one.ids)
            self.assertTrue(one.finished == (one.ids[-1] == 39) and (one.finished or len(one.ids) == 24))

    def test_log_probabilities_are_the_model_s(self):
        model = lively()
        sampling = Sampling(temperature=0.7, max_tokens=12, stop=(39, 38, 37))
        drawn = sample(model, self.PROMPTS, sampling, torch.Generator().manual_seed(1), each=8)
        self.assertEqual([one.prompt for one in drawn], [i for i in range(4) for _ in range(8)])
        for one in drawn:
            prompt = self.PROMPTS[one.prompt]
            logits = model(torch.tensor([prompt + one.ids]))[0, len(prompt) - 1 : -1] / 0.7
            expected = logits.log_softmax(-1).gather(-1, torch.tensor(one.ids)[:, None])[:, 0]
            torch.testing.assert_close(torch.tensor(one.logprobs), expected, atol=1e-4, rtol=1e-4)

    def test_draws_follow_the_distribution(self):
        model = lively()
        drawn = sample(model, [[1, 5, 9, 20]], Sampling(max_tokens=1, stop=()), torch.Generator().manual_seed(5), each=4000)
        counts = np.bincount([one.ids[0] for one in drawn], minlength=40) / 4000
        expected = model(torch.tensor([[1, 5, 9, 20]]))[0, -1].softmax(-1).detach().numpy()
        self.assertLess(np.abs(counts - expected).max(), 4 * 0.5 / math.sqrt(4000))

    def test_thinking_is_closed_at_its_limit(self):
        sampling = Sampling(max_tokens=20, stop=(), max_thinking=5, end_thinking=4, close_thinking=(10, 4, 10))
        for one in sample(lively(), self.PROMPTS, sampling, torch.Generator().manual_seed(2), each=4):
            at = one.ids.index(4)
            if any(one.forced):
                self.assertEqual((one.ids[5:8], one.forced[5:8], at), ([10, 4, 10], [True] * 3, 6))
            else:
                self.assertLessEqual(at, 5)

    def test_the_context_is_not_overrun(self):
        (one,) = sample(lively(), [[5] * 120], Sampling(stop=(), max_tokens=999), torch.Generator())
        self.assertEqual(len(one.ids), 128 - 120 + 0)


class Data(unittest.TestCase):
    def test_every_epoch_sees_each_example_once_and_validation_never(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = small_corpus(folder)
            stream = Stream(corpus, seed=7, first=10)
            drawn = np.concatenate([stream.draw(100) for _ in range(40)])
            first, second = drawn[:50].tolist(), drawn[50:100].tolist()
            self.assertEqual(sorted(first), list(range(10, 60)))
            self.assertEqual(sorted(second), list(range(10, 60)))
            self.assertNotEqual(first, second)

    def test_micro_batches_hold_what_was_drawn_within_their_size(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = small_corpus(folder)
            batches = pack(corpus, np.arange(60), 90)
            for batch in batches:
                self.assertTrue(batch.tokens.numel() <= 90 or len(batch.tokens) == 1)
            # The first token of an example is predicted by nothing.
            learned = sum(int(corpus.example(i)[1][1:].sum()) for i in range(60))
            self.assertEqual(sum(int((batch.targets != IGNORED).sum()) for batch in batches), learned)

    def test_examples_with_little_to_learn_count_as_if_they_had_more(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, model = small_corpus(folder), lively()
            with torch.no_grad():
                for i in range(12):
                    learned = int(corpus.example(i)[1][1:].sum())
                    plain, lifted = fill(corpus, [i]), fill(corpus, [i], 50)
                    self.assertEqual(plain.weight, learned)
                    self.assertAlmostEqual(lifted.weight, max(50, learned), places=3)
                    # The same example, and nothing else, at another weight: the mean stays.
                    means = [float(learned_loss(model, batch)) / batch.weight for batch in (plain, lifted)]
                    self.assertAlmostEqual(means[0], means[1], places=5)

    def test_no_example_sees_another(self):
        """The loss of a batch is the sum of its examples' own losses, whatever they are packed with."""
        with tempfile.TemporaryDirectory() as folder:
            corpus, model = small_corpus(folder), lively()
            with torch.no_grad():
                alone = sum(float(learned_loss(model, fill(corpus, [i]))) for i in range(12))
                packed = sum(float(learned_loss(model, batch)) for batch in pack(corpus, np.arange(12), 200))
            self.assertAlmostEqual(packed / alone, 1, places=5)


class Training(unittest.TestCase):
    def config(self, **more):
        given = {"tokens": 6000, "step_tokens": 300, "micro_tokens": 128, "warmup_tokens": 600, "validation_examples": 6}
        return TrainConfig(**{**given, "log_every": 5, "validate_every": 99, "checkpoint_every": 99, **more})

    def run_of(self, corpus, **more) -> Run:
        return Run(CONFIG, self.config(**more), corpus, torch.device("cpu"))

    def test_going_on_from_a_checkpoint_changes_no_bit(self):
        for optimizer in ("muon", "adamw"):
            with tempfile.TemporaryDirectory() as folder:
                corpus, out = small_corpus(folder), Path(folder)
                through = self.run_of(corpus, optimizer=optimizer)
                through.train(out, 6000)
                (out / "checkpoint.pt").unlink()
                self.run_of(corpus, optimizer=optimizer).train(out, 2500)
                again = self.run_of(corpus, optimizer=optimizer, seed=1)
                again.load(out / "checkpoint.pt")
                self.assertTrue(0 < again.tokens < 3000)
                again.train(out, 6000)
                for a, b in zip(through.model.parameters(), again.model.parameters()):
                    self.assertTrue(torch.equal(a, b))
                lines = [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
                self.assertIn("validation", lines[-1])

    def test_it_learns_in_f32_and_in_bf16(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus = small_corpus(folder, 12)
            for precision in ("f32", "bf16"):
                run = self.run_of(corpus, precision=precision, validation_examples=2, learning_rate=0.05)
                losses = [float(run.train_step()["loss"]) for _ in range(20)]
                self.assertLess(losses[-1], 0.8 * losses[0], precision)

    def test_a_second_run_begins_with_the_weights_of_the_first_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, out = small_corpus(folder), Path(folder)
            first = self.run_of(corpus)
            first.train(out, 400)
            second = self.run_of(corpus)
            second.begin_with([out / "checkpoint.pt"])
            for name, weight in first.model.state_dict().items():
                self.assertTrue(torch.equal(weight, second.model.state_dict()[name]), name)
            self.assertEqual((second.step, second.tokens), (0, 0))
            other = Run(ModelConfig(32, 64, 2, 4, 2, 8, 40, 128), self.config(), corpus, torch.device("cpu"))
            self.assertRaisesRegex(ValueError, "another model", other.begin_with, [out / "checkpoint.pt"])

    def test_or_with_the_mean_of_several(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, runs = small_corpus(folder), []
            for seed in (1, 2):
                run = self.run_of(corpus, seed=seed)
                run.save(Path(folder) / f"{seed}.pt")
                runs.append(run.model.state_dict())
            both = self.run_of(corpus, seed=3)
            both.begin_with([Path(folder) / "1.pt", Path(folder) / "2.pt"])
            for name, weight in both.model.state_dict().items():
                torch.testing.assert_close(weight, (runs[0][name] + runs[1][name]) / 2)
            self.assertFalse(torch.equal(runs[0]["model.embed_tokens.weight"], runs[1]["model.embed_tokens.weight"]))

    def test_a_checkpoint_of_another_model_is_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            corpus, path = small_corpus(folder), Path(folder) / "c.pt"
            self.run_of(corpus).save(path)
            other = Run(ModelConfig(32, 64, 2, 4, 2, 8, 40, 128), self.config(), corpus, torch.device("cpu"))
            with self.assertRaisesRegex(ValueError, "another model"):
                other.load(path)

    def test_schedule(self):
        config = self.config(tokens=1000, warmup_tokens=100, final_share=0.1)
        self.assertAlmostEqual(schedule(100, config), 1)
        self.assertAlmostEqual(schedule(550, config), 0.55)
        self.assertAlmostEqual(schedule(1000, config), 0.1)
        self.assertLess(schedule(10, config), 0.2)

    def test_orthogonalised_updates_move_every_direction_alike(self):
        for shape in ((24, 60), (60, 24)):
            matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
            singular = torch.linalg.svd(orthogonalised(matrix))[1]
            self.assertTrue(0.6 < float(singular.min()) and float(singular.max()) < 1.3)

    def test_reinforcement_raises_what_was_right_and_lowers_what_was_wrong(self):
        model = lively()
        prompts = [[1, 5, 9, 20], [8, 8, 8, 1, 2]]
        drawn = sample(model, prompts, Sampling(max_tokens=6, stop=()), torch.Generator().manual_seed(3), each=4)
        rewards = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 0]])
        worth, counts = advantages(rewards, "grpo")
        before = self.likelihoods(model, prompts, drawn)
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
        improve(model, optimizer, prompts, drawn, worth, counts, steps=1, micro_tokens=64)
        change = self.likelihoods(model, prompts, drawn) - before
        self.assertGreater(float((change * worth.flatten()).sum()), 0)

    def likelihoods(self, model, prompts, drawn: "list[Sample]") -> torch.Tensor:
        with torch.no_grad():
            return torch.stack(
                [
                    model(torch.tensor([prompts[one.prompt] + one.ids]))[0, len(prompts[one.prompt]) - 1 : -1]
                    .log_softmax(-1)
                    .gather(-1, torch.tensor(one.ids)[:, None])
                    .sum()
                    for one in drawn
                ]
            )


class Exporting(unittest.TestCase):
    def test_what_is_written_is_read_back(self):
        with tempfile.TemporaryDirectory() as folder:
            model, out = lively(), Path(folder)
            export.write_safetensors(out / "model.safetensors", list(model.named_parameters()))
            (out / "config.json").write_text(json.dumps(CONFIG.hugging_face()))
            again = export.load_model(out)
            for (name, a), (_, b) in zip(model.named_parameters(), again.named_parameters()):
                self.assertTrue(torch.equal(a.detach().half().float(), b), name)

    def test_numbers_beyond_half_precision_are_refused(self):
        with tempfile.TemporaryDirectory() as folder:
            with self.assertRaisesRegex(ValueError, "beyond F16"):
                export.write_safetensors(Path(folder) / "m", [("w", torch.full((2, 2), 1e6))])


if __name__ == "__main__":
    torch.set_num_threads(1)
    unittest.main(verbosity=2, buffer=True)
