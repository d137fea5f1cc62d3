"""What each sampler does to the music of a trained model, beside the music of the data.

    python benchmarks/likelihood.py --dataset jsb --data FOLDER --recipes copying --seeds 3 --output runs/jsb
    python benchmarks/samplers.py runs/jsb/jsb/copying/seed-*/best.safetensors --data FOLDER --split valid
    python benchmarks/samplers.py runs/jsb/jsb/copying/seed-*/best.safetensors --data FOLDER --samplers draw chosen

Each model continues the beginnings of the pieces, for at least 60 continuations, with each sampler. A row has the mean
over the models of four figures, and the lowest and highest in brackets. The goals, all four of every model at once:

- clashes: at most 1.2 % of the frames have two pitches a semitone apart;
- repeated: the share of the frames that equal the frame before is within 1.5 times of the data's;
- polyphony: the histograms of the number of pitches in a frame overlap by at least 0.93;
- in scale: the share of the notes, by frames, in their best-fitting scale is within 0.01 of the data's.

``polyphony`` is ``PolyphonyControl`` with weights from continuations of the validation pieces. Choose a sampler on the
validation pieces, and report the test pieces once.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from likelihood_sets import SETS

from pianoroll_seq2seq import (
    Draw,
    PianoRoll,
    PolyphonyControl,
    RepetitionControl,
    Sampler,
    TopP,
    Typical,
    best_of,
    compare_sets,
    generate,
    polyphony_weights,
)
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.evaluation.music_metrics import (
    Metric,
    repeated_frames,
    scale_consistency,
    semitone_clashes,
)
from pianoroll_seq2seq.models.contract import SequenceModel

CONTINUATIONS = 60
"""Continuations at least."""
FIGURES: Mapping[str, Metric] = {
    "clashes": semitone_clashes,
    "repeated": repeated_frames,
    "in scale": partial(scale_consistency, weight="frames"),
}
FEWEST_FRAMES = 20
"""Written frames that a number of notes needs for a weight of its own."""
NUM_SAMPLES = 16
"""Samples of a frame for the samplers that need some."""


@dataclass(frozen=True)
class Task:
    """What to continue.

    Args:
        primers: the beginnings.
        num_frames: how many frames to write.
        valid_primers: beginnings of validation pieces, to calibrate a sampler.
        valid: their own continuations.
    """

    primers: Sequence[PianoRoll]
    num_frames: int
    valid_primers: Sequence[PianoRoll]
    valid: Sequence[PianoRoll]


Continue = Callable[[SequenceModel, Task, int], Sequence[PianoRoll]]
"""Continues primers: the model, the task, and the seed."""


def sampled(sampler: Sampler) -> Continue:
    """Continuations by a sampler."""

    def run(model: SequenceModel, task: Task, seed: int) -> Sequence[PianoRoll]:
        return generate(model, task.primers, num_frames=task.num_frames, sampler=sampler, seed=seed, progress=True)

    return run


def calibrated(sampler: Sampler, repetitions: float = 1.0) -> Continue:
    """By a sampler whose polyphony is calibrated on the validation pieces, and then its repetitions controlled."""

    def run(model: SequenceModel, task: Task, seed: int) -> Sequence[PianoRoll]:
        before = generate(
            model, task.valid_primers, num_frames=task.num_frames, sampler=sampler, seed=seed, progress=True
        )
        control = PolyphonyControl(polyphony_weights(before, task.valid, fewest_frames=FEWEST_FRAMES), sampler=sampler)
        return sampled(RepetitionControl(control, weight=repetitions))(model, task, seed)

    return run


def best_of_four(model: SequenceModel, task: Task, seed: int) -> Sequence[PianoRoll]:
    """The likeliest of four continuations."""
    return best_of(model, task.primers, n=4, num_frames=task.num_frames, seed=seed, progress=True)


SAMPLERS: Mapping[str, Continue] = {
    "draw": sampled(Draw()),
    "temperature 0.95": sampled(Draw(0.95)),
    "temperature 0.9": sampled(Draw(0.9)),
    "top-p 0.95": sampled(TopP(0.95, num_samples=NUM_SAMPLES)),
    "top-p 0.9": sampled(TopP(0.9, num_samples=NUM_SAMPLES)),
    "typical 0.95": sampled(Typical(0.95, num_samples=NUM_SAMPLES)),
    "repetitions x 1.5": sampled(RepetitionControl(weight=1.5)),
    "best of 4": best_of_four,
    "temperature 0.9, repetitions x 1.3": sampled(RepetitionControl(Draw(0.9), weight=1.3)),
    "polyphony": calibrated(Draw()),
    "polyphony, temperature 0.85": calibrated(Draw(0.85)),
    "polyphony, temperature 0.85, repetitions x 1.2": calibrated(Draw(0.85), 1.2),
}


@dataclass(frozen=True)
class Gate:
    """The four figures of some music.

    Args:
        clashes: share of the frames with two pitches a semitone apart.
        repeated: share of the frames that equal the frame before.
        in_scale: share of the notes, by frames, in the best-fitting scale.
        polyphony: overlap of the number of pitches in a frame with the data's.
    """

    clashes: float
    repeated: float
    in_scale: float
    polyphony: float

    @classmethod
    def of(cls, written: Sequence[PianoRoll], data: Sequence[PianoRoll]) -> "Gate":
        """The figures of some music beside the data; of the data itself if both are the same."""
        comparison = compare_sets(written, data, metrics=FIGURES)
        clashes, repeated, in_scale = (comparison.metrics[name].generated_mean for name in FIGURES)
        return cls(clashes, repeated, in_scale, comparison.polyphony_overlap)

    def passes(self, data: "Gate") -> list[bool]:
        """Whether each goal is reached, in the order of the fields."""
        return [
            self.clashes <= 0.012,
            data.repeated / 1.5 <= self.repeated <= data.repeated * 1.5,
            abs(self.in_scale - data.in_scale) <= 0.01,
            self.polyphony >= 0.93,
        ]


def row(name: str, gates: Sequence[Gate], data: Gate) -> str:
    """A row of the table."""
    cells = []
    for field in ("clashes", "repeated", "in_scale", "polyphony"):
        values = [getattr(gate, field) for gate in gates]
        cells.append(f"{np.mean(values):8.3f} ({min(values):.3f}-{max(values):.3f})")
    reached = sum(all(gate.passes(data)) for gate in gates)
    return f"{name:48}" + "".join(cells) + f"{reached:6} of {len(gates)}"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=Path, nargs="+", help="files of trained models, one for each seed")
    parser.add_argument("--dataset", choices=SETS, default="jsb")
    parser.add_argument("--data", type=Path, help="folder of the set's files, as for likelihood.py")
    parser.add_argument("--split", choices=("valid", "test"), default="test")
    parser.add_argument("--samplers", nargs="+", choices=SAMPLERS, default=list(SAMPLERS))
    parser.add_argument("--output", type=Path, help="file for the figures as JSON")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    chosen = SETS[arguments.dataset]
    try:
        split = chosen.read(arguments.data)
        models = [load(path) for path in arguments.models]
    except PianoRollSeq2SeqError as error:
        parser.error(str(error))
    begin, end = chosen.primer, chosen.primer + chosen.continuation
    pieces, valid = (
        [roll for roll in getattr(split, name) if len(roll) >= end][:CONTINUATIONS]
        for name in (arguments.split, "valid")
    )
    primers = [roll[:begin] for roll in pieces] * -(-CONTINUATIONS // len(pieces))
    originals = [roll[begin:end] for roll in pieces]
    task = Task(primers, end - begin, [roll[:begin] for roll in valid], [roll[begin:end] for roll in valid])
    figures = {}
    print(f"{'':48}{'clashes':>22}{'repeated':>22}{'in scale':>22}{'polyphony':>22}  all four")
    for name in arguments.samplers:
        started = time.process_time()
        gates, data = [], Gate.of(originals, originals)
        for seed, model in enumerate(models):
            gates.append(Gate.of(SAMPLERS[name](model, task, seed), originals))
        figures[name] = {"models": [asdict(gate) for gate in gates], "cpu_seconds": time.process_time() - started}
        print(row(name, gates, data), flush=True)
    print(row("the data", [data], data))
    if arguments.output:
        arguments.output.write_text(json.dumps({**figures, "data": asdict(data)}, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
