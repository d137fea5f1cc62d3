"""Trains a model that writes the voices of Bach's chorales, as the shipped one: ``open_model("bach-chorales")``.

    pip install "pianoroll-seq2seq[datasets,metrics,plot]"
    python examples/train_bach_chorales.py --output runs/bach-chorales    # half an hour on one core

The chorales come with music21 (public domain). All harmonizations of a hymn tune are in one part of the split. The
epoch is chosen on the validation chorales; the test chorales are scored once. ``bach-chorales.safetensors`` in the
output folder is the model with its card. ``music/`` holds continuations and harmonizations of test chorales, and pieces
that begin from silence. The same command resumes an interrupted training.
"""

import argparse
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from recipes.filling import filling
from recipes.recipe import Recipe, Trained, train
from torch import nn

from pianoroll_seq2seq import (
    BeatGrid,
    FillTasks,
    Given,
    PianoRoll,
    PitchRange,
    SequenceModel,
    compare_sets,
    fill,
    generate,
    likelihood,
)
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load, save
from pianoroll_seq2seq.data.condition_sources import JoinedConditions, MetricPosition, PhraseEnds, phrase_end_frames
from pianoroll_seq2seq.data.datasets.bach_chorales import VOICES, bach_chorales
from pianoroll_seq2seq.data.splitting import Split, split_by_piece
from pianoroll_seq2seq.train import run_files

GRID = BeatGrid(4)
"""Sixteenths: 99.99 % of the notes begin and end on it (on eighths 97 %, and a third of the chorales)."""
PITCHES = {
    "soprano": PitchRange(56, 83),
    "alto": PitchRange(51, 76),
    "tenor": PitchRange(46, 71),
    "bass": PitchRange(34, 66),
}
"""Of each part: one or two semitones more than the voices of all chorales need, in either direction."""
SOURCE = JoinedConditions((MetricPosition(), PhraseEnds()))
"""What a model can know of a chorale beside its notes."""
LONGEST_REST = 16
"""Frames. In a few chorales instruments play between the lines, while all voices rest for longer."""
TASKS = FillTasks(
    continuing=0.25,
    harmonizing=0.4,
    infilling=0.25,
    both=0.1,
    subsets=(("soprano",), ("soprano",), ("soprano", "bass"), ("bass",), ("soprano", "alto", "tenor")),
)
"""What is given in training: the soprano most often."""
STEPS = 1500
SCORED = {
    "of_the_lower_voices": Given.parts("soprano"),
    "of_the_inner_voices": Given.parts("soprano", "bass"),
    "of_the_soprano": ~Given.parts("soprano"),
    "of_two_bars": Given.outside(bars=(3, 4)),
}
"""What is given when the lower voices, the inner voices, the soprano, or two bars are scored."""
PRIMER, CONTINUATION = 64, 192
"""Frames of a primer from a test chorale and of its continuation: 4 and 12 bars of four beats."""
NAME = "bach-chorales"


class Chorales(NamedTuple):
    """The chorales that the model learns from and is tested on.

    Args:
        split: training, validation and test chorales: rolls of soprano, alto, tenor and bass.
        phrase_ends: the frames before which the lines of each hymn end, by the name of the chorale. Chorales of which
            they are unknown are left out.
    """

    split: Split
    phrase_ends: Mapping[str, np.ndarray]

    def condition(self, roll: PianoRoll) -> np.ndarray:
        """What ``SOURCE`` says of a whole chorale: where its frames are in the bar, and where phrases end."""
        return SOURCE(roll, self.phrase_ends.get(roll.name))


def recipe(pieces: Chorales) -> Recipe:
    """Whole chorales, of which a model learns to continue, to harmonize and to infill; with onsets."""
    return filling(
        pieces.split.train,
        onsets=True,
        tasks=TASKS,
        condition_source=SOURCE,
        condition_of=pieces.condition,
        steps=STEPS,
    )


def chorales(names: Sequence[str] | None = None) -> Chorales:
    """The chorales for four voices without instruments between the lines, split by hymn tune; all by default."""
    pieces = bach_chorales(names)
    parts = {voice.lower(): voice for voice in VOICES}
    rolls = [
        PianoRoll.from_score(piece.score, grid=GRID, pitches=PITCHES, parts=parts, velocity=False)
        for piece in pieces.values()
        if len(piece.score.parts) == len(VOICES)
    ]
    sung = [roll for roll in rolls if longest_rest(roll) <= LONGEST_REST and is_monophonic(roll)]
    ends = {
        roll.name: phrase_end_frames(roll, ticks=pieces[roll.name].phrase_ends)
        for roll in sung
        if pieces[roll.name].phrase_ends
    }
    split = split_by_piece(sung, valid=0.1, test=0.1, seed=0, group=lambda roll: pieces[roll.name].tune)
    return Chorales(split, ends)


def is_monophonic(roll: PianoRoll) -> bool:
    """Whether no voice sings two notes at once. In two chorales the soprano does."""
    return all(int(roll[part.name].active.sum(axis=1).max()) <= 1 for part in roll.parts)


def longest_rest(roll: PianoRoll) -> int:
    """The largest number of consecutive frames in which no voice sounds."""
    sounding = np.flatnonzero(roll.active.any(axis=1))
    return int(np.diff(sounding, prepend=-1, append=len(roll)).max()) - 1


def scores(model: SequenceModel, split: Split) -> dict[str, float]:
    """Exact nats per frame, for some of what may be given. Phrase ends are unknown to the model."""
    figures = {}
    for name, rolls in (("valid", split.valid), ("test", split.test)):
        continued = likelihood(model, rolls)
        figures[f"{name}_nats"] = continued.nats
        figures[f"{name}_nats_after_first"] = continued.nats_after_first
        for label, given in SCORED.items():
            figures[f"{name}_nats_{label}"] = likelihood(model, rolls, given=given).nats
    return figures


def music(model: SequenceModel, rolls: Sequence[PianoRoll], folder: Path, *, seed: int) -> dict[str, Any]:
    """Continues chorales, writes them as MIDI, and compares them with the originals; and begins a few from silence."""
    pieces = [roll for roll in rolls if len(roll) >= PRIMER + CONTINUATION]
    written = generate(model, [roll[:PRIMER] for roll in pieces], num_frames=CONTINUATION, seed=seed, progress=True)
    silence = PianoRoll.silent(PRIMER, grid=GRID, parts=rolls[0].parts)
    started = generate(model, [silence] * 4, num_frames=PRIMER + CONTINUATION, seed=seed, progress=True)
    for piece, continuation in zip(pieces, written, strict=True):
        (piece[:PRIMER] + continuation).to_midi(folder / f"{piece.name}.mid", overwrite=True)
    for number, roll in enumerate(started):
        roll.to_midi(folder / f"from-silence-{number}.mid", overwrite=True)
    for harmonized in fill(model, rolls, Given.parts("soprano"), seed=seed, progress=True):
        harmonized.to_midi(folder / f"{harmonized.name}-harmonized.mid", overwrite=True)
    comparison = compare_sets(written, [roll[PRIMER : PRIMER + CONTINUATION] for roll in pieces], frames_per_bar=16)
    print(comparison, flush=True)
    return comparison.to_json()


def card(trained: Trained, figures: Mapping[str, Any], comparison: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """Facts about the model for its users."""
    return {
        "name": NAME,
        "what": "Harmonizes melodies, continues, infills and begins music for four voices in the style of Bach's "
        "chorales, in sixteenths.",
        "data": "J. S. Bach's chorales as music21's corpus has them (public domain): "
        f"{len(split.train)} to train, {len(split.valid)} to validate, {len(split.test)} to test, split by hymn tune.",
        "recipe": "examples/train_bach_chorales.py",
        "parameters": trained.num_parameters,
        "best_epoch": trained.history.best_epoch,
        "scores": dict(figures),
        "music": {
            name: {"generated": row["generated_mean"], "data": row["data_mean"]}
            for name, row in comparison["metrics"].items()
        },
        "not_for": "Music in other styles or metres than chorales, dynamics, or tempo. "
        "Its music has not been checked against the rules of counterpoint.",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, default=Path("runs/bach-chorales"))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    pieces = chorales()
    split = pieces.split
    chosen = recipe(pieces)
    folder = arguments.output / f"seed-{arguments.seed}"
    trained = train(chosen, split.train, split.valid, seed=arguments.seed, checkpoint_dir=folder)
    path = folder / f"{NAME}.safetensors"
    assert isinstance(trained.model, nn.Module)
    save(trained.model.half(), path, overwrite=True)  # half the size; it is read as float32
    model: SequenceModel = load(path)
    figures = scores(model, split)
    comparison = music(model, split.test, arguments.output / "music", seed=arguments.seed)
    details = {"card": card(trained, figures, comparison, split)}
    save(trained.model, path, details=details, overwrite=True)
    with writing(folder / run_files.SCORES, overwrite=True) as temporary:
        temporary.write_text(json.dumps({**figures, "music": comparison}, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {path.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
