"""The tasks, asked over a pipe: problems to solve and verdicts on answers. `reckon verify` is on the other end.

One JSON document a line, each request answered by one line in its turn: see `src/cli/verify.ts`.
"""

import json
import subprocess
from pathlib import Path
from typing import Dict, List, Optional, Sequence

ROOT = Path(__file__).resolve().parent.parent


class Tasks:
    """A Node process that knows the tasks. Use as a context manager, or call close()."""

    def __init__(self, command: Optional[Sequence[str]] = None):
        command = command or ["node", str(ROOT / "scripts" / "reckon.mjs"), "verify"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)

    def __enter__(self) -> "Tasks":
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def ask(self, request: dict) -> dict:
        """@raises RuntimeError with the other side's words, or when it has gone."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise RuntimeError(f"the process that knows the tasks ended ({self.process.poll()}); see above")
        answer = json.loads(line)
        if "error" in answer:
            raise RuntimeError(answer["error"])
        return answer

    def problems(
        self, task: str, difficulty: int, first: int, count: int, held_out: bool, system: Optional[str] = None
    ) -> List[dict]:
        """[{task, difficulty, prompt, ids}]: problems number `first` and on of one side of the split.

        ids: the prompt in the chat format, up to where the model thinks. system: what asks for a length of thought.
        """
        request = {"task": task, "difficulty": difficulty, "first": first, "count": count, "heldOut": held_out}
        given = {} if system is None else {"system": system}
        return self.ask({"problems": {**request, **given}})["problems"]

    def verify(self, items: List[Dict]) -> List[dict]:
        """items [{task, prompt, ids}], ids being what the model wrote → [{correct, reason, answer, thinking}].

        thinking: its length in tokens, null where it was never closed.
        """
        return self.ask({"verify": items})["verdicts"]
