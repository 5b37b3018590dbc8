"""How often a model is right: `python3 evaluate.py --model models/NAME --cells kk:2-4,countdown:3-4 --out models/NAME/results.jsonl`.

Problems are those held out of the corpus, answers are verified by the tasks. A line a cell: how many of `n` samples were right
for each problem, from which `npm run report` computes pass@k and its intervals. Cells that the file has already are skipped.
`npm run -s reckon -- eval` measures the same with the runtime, on a GPU.
"""

import argparse
import json
import platform
import re
import time
from pathlib import Path
from typing import List, Tuple

import torch

from bridge import Tasks
from export import load_model
from sample import Sampling, sample


def cells_of(text: str) -> List[Tuple[str, int]]:
    """`kk:2-4,countdown:3` → every task with each of its difficulties."""
    cells = []
    for part in text.split(","):
        match = re.fullmatch(r"([a-z]+):(\d+)(?:-(\d+))?", part.strip())
        if not match:
            raise ValueError(f"{part!r} is no cell; write, for example, kk:2-4")
        task, first, last = match[1], int(match[2]), int(match[3] or match[2])
        cells += [(task, difficulty) for difficulty in range(first, last + 1)]
    return cells


def device_name(device: torch.device) -> str:
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{platform.machine()} CPU, {torch.get_num_threads()} threads"


def close_thinking(folder: Path) -> List[int]:
    """What the runtime writes to end a thought: a newline, the marker, a newline."""
    vocabulary = json.loads((folder / "tokenizer.json").read_text())["model"]["vocab"]
    return [vocabulary["\n"], vocabulary["</think>"], vocabulary["\n"]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True, help="an exported model's folder")
    parser.add_argument("--cells", required=True)
    parser.add_argument("--problems", type=int, default=500)
    parser.add_argument("--n", type=int, default=8, help="samples of each problem")
    parser.add_argument("--greedy", action="store_true", help="one answer of temperature 0")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--max-thinking", help="tokens of thinking; several, by commas, are measured one after the other")
    parser.add_argument("--max-tokens", default="1536", help="most tokens of a sample; several, by commas, are read off the same samples")
    parser.add_argument("--lanes", type=int, default=512)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    model = load_model(args.model).to(device)
    end = json.loads((args.model / "config.json").read_text())["eos_token_id"]
    lengths = sorted(int(length) for length in args.max_tokens.split(","))
    limits = [int(limit) for limit in args.max_thinking.split(",")] if args.max_thinking else [None]
    n, temperature = (1, 0.0) if args.greedy else (args.n, args.temperature)
    lines = args.out.read_text().splitlines() if args.out.exists() else []
    name = lambda x: tuple(x[k] for k in ("task", "difficulty", "problems", "n", "temperature", "maxThinking", "seed", "maxTokens"))  # noqa: E731
    known = {name(json.loads(line)) for line in lines}
    args.out.parent.mkdir(parents=True, exist_ok=True)
    with Tasks() as tasks:
        for task, difficulty in cells_of(args.cells):
            for limit in limits:
                cell = {"task": task, "difficulty": difficulty, "problems": args.problems, "n": n}
                cell.update(temperature=temperature, maxThinking=limit, seed=args.seed)
                wanted = [length for length in lengths if name({**cell, "maxTokens": length}) not in known]
                if not wanted:
                    continue
                began = time.time()
                problems = tasks.problems(task, difficulty, 0, args.problems, held_out=True)
                sampling = Sampling(temperature, wanted[-1], (end, 0), limit, close_thinking=close_thinking(args.model))
                generator = torch.Generator(device=device).manual_seed(args.seed)
                drawn = sample(model, [p["ids"] for p in problems], sampling, generator, n, args.lanes)
                asked = [problems[one.prompt] for one in drawn]
                for length in wanted:
                    verdicts = tasks.verify(
                        [{"task": task, "prompt": p["prompt"], "ids": one.ids[:length]} for p, one in zip(asked, drawn)]
                    )
                    right = [0] * len(problems)
                    for one, verdict in zip(drawn, verdicts):
                        right[one.prompt] += bool(verdict["correct"])
                    line = {**cell, "maxTokens": length, "correct": right}
                    line["tokens"] = sum(min(length, len(one.ids)) for one in drawn)
                    # Of all the samples, whatever their length.
                    line["seconds"] = round(time.time() - began, 1)
                    line["device"] = device_name(device)
                    with args.out.open("a") as file:
                        file.write(json.dumps(line) + "\n")
                    print(f"{task}/{difficulty} thinking {limit} tokens {length}: {sum(right) / (n * len(right)):.3f}", flush=True)


if __name__ == "__main__":
    main()
