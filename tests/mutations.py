"""What attacks on files share: other values in place of those in a file, and the memory that reading them takes."""

import copy
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

OTHERS: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 2, 3, 7, 255, 2**31, 2**63, 10**30, -(10**18), 10**400),
    *(0.5, -0.1, 1e-300, 1e300, 4.5, 1e18),
    *("", "a", "0", "none", "x" * 5_000, "\x1b]0;x\x07", "../../x", "/dev/zero", "os.kill", "\u202e", "\0"),
    *([], {}, [[]], [1, 2], ["a"], [None], {"a": 1}, {"class": "os:kill", "settings": {}}, [0.5] * 3_000),
    {"class": "pianoroll_seq2seq.grid:BeatGrid", "settings": {"frames_per_beat": 32_767}},
    {"class": "pianoroll_seq2seq.grid:SecondsGrid", "settings": {"frame_seconds": 1e-6}},
    {"class": "pianoroll_seq2seq.models.seq2seq_lstm:Seq2SeqLSTM", "settings": {"layout": 12, "hidden_size": 7_000}},
)
_NAMES = ("x", "class", "settings", "layout", "head", "grid", "")


def other_json(content: Any, choice: random.Random) -> Any:
    """The content with one to three of its values replaced, removed, renamed or repeated elsewhere."""
    for _ in range(choice.choice((1, 1, 2, 3))):
        places = list(_places(content))
        if not places:
            break
        holder, key = choice.choice(places)
        kind = choice.random()
        if kind < 0.6:
            holder[key] = copy.deepcopy(choice.choice(OTHERS))
        elif kind < 0.7:
            del holder[key]
        elif kind < 0.8 and isinstance(holder, dict):
            holder[choice.choice(_NAMES)] = holder.pop(key)
        else:
            other, place = choice.choice(places)
            holder[key] = copy.deepcopy(other[place])
    return content


def _places(content: Any) -> Iterator[tuple[Any, Any]]:
    """Each value in the content, as its holder and its key."""
    pairs = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    for key, value in list(pairs):
        yield content, key
        yield from _places(value)


def peak_growth() -> Callable[[], float]:
    """Returns a function that tells by how much the peak memory of this process has grown since, in MB."""
    Path("/proc/self/clear_refs").write_text("5")  # begins the peak anew
    before = _peak()
    return lambda: _peak() - before


def _peak() -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1024
