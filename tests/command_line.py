"""What tests of the command line share."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Done:
    """What a command left: its exit code, and what it wrote."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is one JSON document."""
        assert self.code == 0, self.err
        return json.loads(self.out)

    def refused(self) -> str:
        """The words of a user's mistake: no traceback, nothing on standard output, exit code 2."""
        assert self.code == 2, self.err
        assert not self.out
        assert "Traceback" not in self.err
        return self.err.partition("error: ")[2]


Run = Callable[..., Done]

SMALL = ("--epochs", 1, "--hop", 16, "--input_frames", 8, "--target_frames", 8)
"""A run of a second."""
SMALL_MODEL = ("--model", "pianoroll_seq2seq.Seq2SeqLSTM", "--model.hidden", 8)
