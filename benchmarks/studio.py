"""Asks the shipped model of four voices as the studio's page does, and measures the time on one core.

    python benchmarks/studio.py [--rounds 5]

Harmonizes a melody of eight bars, in one take and in four; bar 3 of it alone; and two bars late in a melody of 64. It
measures the seconds from the request to the first notes and to the end, and the processor's seconds; of each
the median. The request is parsed, and the answer is written as lines of JSON, as the server does.
"""

import argparse
import json
import statistics
import time
from typing import Any

import torch

from pianoroll_seq2seq.pretrained.opening import open_model
from pianoroll_seq2seq.studio.fill_request import parse_fill_request
from pianoroll_seq2seq.studio.limits import StudioLimits
from pianoroll_seq2seq.studio.take_stream import stream_takes

MODEL = "bach-chorales"
TUNE = (72, 74, 76, 77, 79, 77, 76, 74)


def piece(bars: int) -> dict[str, Any]:
    """A melody in quarter notes, in the first of four parts."""
    notes = [
        {"part": 0, "pitch": TUNE[beat % len(TUNE)], "start": beat, "length": 1, "velocity": 64}
        for beat in range(4 * bars)
    ]
    parts = [{"name": name, "program": 52, "is_drums": False} for name in ("soprano", "alto", "tenor", "bass")]
    return {"beats_per_minute": 90, "beats_per_bar": 4, "beats": 4 * bars, "parts": parts, "notes": notes}


CASES: dict[str, dict[str, Any]] = {
    "harmonize 8 bars": {"piece": piece(8), "task": "harmonize"},
    "harmonize 8 bars, 4 takes": {"piece": piece(8), "task": "harmonize", "takes": 4},
    "harmonize bar 3 of 8": {"piece": piece(8), "task": "harmonize", "bars": [3, 3]},
    "harmonize bars 60 and 61": {"piece": piece(64), "task": "harmonize", "bars": [60, 61]},
}


def seconds_of(request: dict[str, Any], *, seed: int) -> tuple[float, float, float]:
    """The seconds to the first notes and to the end, and the processor's seconds."""
    models = {MODEL: open_model(MODEL)}
    raw = json.dumps(request | {"model": MODEL, "seed": seed}).encode()
    begun, used, first = time.perf_counter(), time.process_time(), 0.0
    for line in stream_takes(parse_fill_request(raw, models, StudioLimits())):
        json.dumps(line)
        if not first and line.get("notes"):
            first = time.perf_counter() - begun
    return first, time.perf_counter() - begun, time.process_time() - used


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    seconds_of(CASES["harmonize bar 3 of 8"], seed=0)  # what is done once
    print(f"{'':28}{'first notes':>12}{'end':>8}{'processor':>12}")
    for name, request in CASES.items():
        rounds = [seconds_of(request, seed=seed) for seed in range(arguments.rounds)]
        first, end, used = (statistics.median(column) for column in zip(*rounds, strict=True))
        print(f"{name:28}{first:11.2f}s{end:7.2f}s{used:11.2f}s")


if __name__ == "__main__":
    main()
