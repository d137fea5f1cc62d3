"""Harmonizes the sopranos of test chorales, fills two bars of each at three places, and measures the music.

    python benchmarks/harmonize.py MODEL --data FOLDER [--pieces 100] [--temperature 1.0] [--parallels 1.0]

``MODEL`` is the checkpoint of a model that fills (``FillingLSTM``), trained on the training pieces of ``jsb16``. Its
chorales are beside Bach's own: the grade of Fang and others (2020) with the training pieces as reference, errors of
voice leading in 100 beats, measures of melody and chords, and the share of passages that are in the training pieces.
If more pieces are asked for than there are, each is harmonized several times. The seams of the infills are compared
with the bar lines of the test pieces, and so are the same seams of Bach's own bars: their overlap is what as few seams
can have. The time is that of one piece of 16 bars on one thread, the median of five.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from likelihood_sets import VOICES, jsb16

from pianoroll_seq2seq import (
    ChoraleScores,
    Draw,
    Given,
    ParallelControl,
    PianoRoll,
    SeamOverlap,
    fill,
    harmonize,
    score_chorales,
    seam_overlap,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.models.contract import FillingModel
from pianoroll_seq2seq.sampling.samplers import Sampler

MELODY = VOICES[0]
GAP_BARS = 2
GAPS = 3
"""Infills of a piece. Fewer seams would differ from real ones by chance alone."""
TIMED_FRAMES = 256
"""Frames of the piece that is timed: 16 bars of 4/4 in sixteenths."""
ROUNDS = 5


def harmonizations(model: FillingModel, pieces: Sequence[PianoRoll], sampler: Sampler, *, seed: int) -> list[PianoRoll]:
    """The pieces with all parts but the melody written anew, in one batch.

    Raises:
        RuntimeError: a melody is not as it was.
    """
    written = list(fill(model, pieces, Given.parts(MELODY), sampler=sampler, seed=seed, progress=True))
    for before, after in zip(pieces, written, strict=True):
        if before[MELODY] != after[MELODY]:
            raise RuntimeError(f"{before.name}: the melody has changed.")
    return written


def infills(
    model: FillingModel, pieces: Sequence[PianoRoll], sampler: Sampler, *, seed: int
) -> tuple[list[PianoRoll], list[tuple[int, int]], list[PianoRoll]]:
    """The pieces with two bars written anew, at several places, the frames of the gaps, and the pieces as they were."""
    chosen, gaps = [], []
    for piece in pieces:
        lines = [*piece.bar_frames().tolist(), len(piece)]
        last = len(lines) - 2 - GAP_BARS  # a bar before the gap and one after it are given
        for first in np.unique(np.linspace(1, last, GAPS).round().astype(int)).tolist() if last > 0 else []:
            chosen.append(piece)
            gaps.append((lines[first], lines[first + GAP_BARS]))
    given = [~Given.frames(*gap) for gap in gaps]
    return list(fill(model, chosen, given, sampler=sampler, seed=seed, progress=True)), gaps, chosen


def seconds_of_one(model: FillingModel, pieces: Sequence[PianoRoll], sampler: Sampler) -> float:
    """How long one melody of 16 bars takes."""
    melody = max(pieces, key=len)[MELODY]
    while len(melody) < TIMED_FRAMES:
        melody += melody
    seconds = []
    for seed in range(ROUNDS):
        started = time.perf_counter()
        harmonize(model, melody[:TIMED_FRAMES], sampler=sampler, seed=seed)
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)


def measure(
    model: FillingModel, data: Split, sampler: Sampler, *, pieces: int, seed: int, folder: Path | None = None
) -> tuple[ChoraleScores, dict[str, SeamOverlap], float]:
    """All figures of a model.

    Args:
        model: the model.
        data: the chorales.
        sampler: chooses each frame.
        pieces: the number of harmonizations.
        seed: of the sampler.
        folder: for MIDI files of the harmonizations, if they are wanted.

    Returns:
        The scores of the harmonizations beside Bach's own, the overlaps of the seams of infills and of Bach's own bars,
        and the seconds for 16 bars.
    """
    test = list(data.test)
    sopranos = [test[index % len(test)] for index in range(pieces)]
    written = harmonizations(model, sopranos, sampler, seed=seed)
    for index, roll in enumerate(written if folder is not None else []):
        assert folder is not None
        roll.to_midi(folder / f"{index:03}-{roll.name.replace('/', '-')}.mid", overwrite=True)
    scores = score_chorales(written, sopranos, training=data.train, melody=MELODY)
    filled, gaps, originals = infills(model, test, sampler, seed=seed)
    seams = {
        "infills": seam_overlap(filled, gaps, test),
        "Bach's own bars": seam_overlap(originals, gaps, test),
    }
    return scores, seams, seconds_of_one(model, test, sampler)


def report(scores: ChoraleScores, seams: dict[str, SeamOverlap], seconds: float) -> str:
    """The tables."""
    lines = [str(scores), "", f"{'seams':24}{'intervals':>12}{'note lengths':>14}{'seams':>8}"]
    lines += [f"{name:24}{one.intervals:12.3f}{one.note_lengths:14.3f}{one.num_seams:8}" for name, one in seams.items()]
    return "\n".join([*lines, "", f"{seconds:.2f} s for 16 bars"])


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="checkpoint, such as runs/filling/best.safetensors")
    parser.add_argument("--data", type=Path, help="folder of Jsb16thSeparated.json; by default that of the environment")
    parser.add_argument("--pieces", type=int, default=100, help="harmonizations")
    parser.add_argument("--temperature", type=float, default=1.0)
    parser.add_argument("--parallels", type=float, default=1.0, help="factor on parallel fifths and octaves")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder for MIDI files and figures.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        data, model = jsb16(arguments.data), load(arguments.model)
    except PianoRollSeq2SeqError as error:
        parser.error(str(error))
    sampler: Sampler = Draw(arguments.temperature)
    if arguments.parallels != 1.0:
        sampler = ParallelControl(model.layout, sampler, arguments.parallels)
    scores, seams, seconds = measure(
        model,
        data,
        sampler,
        pieces=arguments.pieces,
        seed=arguments.seed,
        folder=arguments.output,
    )
    print(report(scores, seams, seconds))
    if arguments.output is not None:
        figures: dict[str, Any] = {
            **scores.to_json(),
            "seams": {name: [one.intervals, one.note_lengths] for name, one in seams.items()},
            "seconds": seconds,
        }
        with writing(arguments.output / "figures.json", overwrite=True) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
