"""Reference logits and greedy continuations of an exported model, for the runtime to be held against:
`python3 golden.py --model models/NAME --cells kk:2,countdown:3 --each 4 --out test/golden/NAME.json`.
"""

import argparse
import json
from pathlib import Path

import torch

from bridge import Tasks
from evaluate import cells_of
from export import load_model
from sample import Sampling, sample


def texts_of(folder: Path):
    """Token texts by id, from the model's `tokenizer.json`."""
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    return {id: text for text, id in tokenizer["model"]["vocab"].items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--cells", default="kk:2,kk:3,countdown:3,countdown:4")
    parser.add_argument("--each", type=int, default=2, help="problems of each cell")
    parser.add_argument("--max-tokens", type=int, default=1024)
    parser.add_argument("--logits", type=int, default=8, help="how many cases carry logits; the rest only continuations")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    model = load_model(args.model)
    end = json.loads((args.model / "config.json").read_text())["eos_token_id"]
    texts = texts_of(args.model)
    with Tasks() as tasks, torch.no_grad():
        problems = [p for task, difficulty in cells_of(args.cells) for p in tasks.problems(task, difficulty, 0, args.each, True)]
        prompts = [problem["ids"] for problem in problems]
        greedy = Sampling(temperature=0, max_tokens=args.max_tokens, stop=(end, 0))
        samples = sample(model, prompts, greedy, torch.Generator())
        verdicts = tasks.verify(
            [{"task": p["task"], "prompt": p["prompt"], "ids": one.ids} for p, one in zip(problems, samples)]
        )
        cases = []
        for i, (problem, one, verdict) in enumerate(zip(problems, samples, verdicts)):
            case = {"task": problem["task"], "difficulty": problem["difficulty"], "question": problem["prompt"]}
            case["promptIds"] = problem["ids"]
            if i % max(1, len(problems) // max(1, args.logits)) == 0:
                logits = model(torch.tensor([problem["ids"]]))[0]
                case["lastLogits"] = [round(x, 6) for x in logits[-1].tolist()]
                case["logitsAtPosition10"] = [round(x, 6) for x in logits[10].tolist()]
            case["greedyIds"] = one.ids
            case["greedyText"] = "".join(texts[id] for id in one.ids)
            case["correct"] = verdict["correct"]
            cases.append(case)
    note = f"float32 PyTorch {torch.__version__.split('+')[0]}, weights as stored (f16)"
    args.out.parent.mkdir(parents=True, exist_ok=True)
    args.out.write_text(json.dumps({"note": note, "cases": cases}) + "\n")
    print(f"{args.out}: {len(cases)} cases, {sum(case['correct'] for case in cases)} solved greedily")


if __name__ == "__main__":
    main()
