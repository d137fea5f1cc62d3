"""Trains models that fill on JSB16, and measures what knowing later frames is worth.

    python benchmarks/filling.py --data FOLDER
    python benchmarks/filling.py --data FOLDER --seeds 1 --split valid --set look_ahead=None
    python benchmarks/filling.py --data FOLDER --set "tasks={'harmonizing': 0.75, 'subsets': (('soprano',),)}"
    python benchmarks/filling.py --data FOLDER --melody-alone

Each row compares two exact likelihoods of the same cells under the same model, in nats per frame. One knows only what
came before and, of the frame itself, the parts that are given; the other knows all given cells, those to come too. The
rows are alto, tenor and bass given the soprano; the soprano given the others; a missing bar, the last quarter of it,
and four missing bars, given all around them. ``continue`` is the likelihood of whole pieces, nothing given.

How much the whole soprano can be worth follows from the chain rule. A piece costs as much whether its frames are
decided one after another, or the soprano first and then the others given all of it. So if both were exact, the gain
would be what the other voices' past is worth for the soprano: the difference of a model of the soprano alone, which
``--melody-alone`` trains, and of the soprano given the past of all voices. Whatever is gained beyond that makes up for
what the frame-by-frame model misses.

Every run has its own folder below ``--output``. The same command resumes an interrupted run and reads the results of a
finished one. ``--set`` changes hyperparameters of the recipe, for ablations. The epoch is chosen on the validation
pieces.
"""

import argparse
import ast
import json
import sys
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "examples"))
sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from likelihood_sets import VOICES, jsb16
from recipes.filling import filling
from recipes.monophonic import monophonic
from recipes.recipe import train
from torch import Tensor

from pianoroll_seq2seq import FillingLSTM, FillTasks, FrameLayout, Given, PianoRoll, likelihood
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.checkpoint import load
from pianoroll_seq2seq.data.splitting import Split
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.models.contract import layout_of
from pianoroll_seq2seq.models.given_frames import GivenFrames, given_columns
from pianoroll_seq2seq.models.heads.contract import FillingDistribution
from pianoroll_seq2seq.train.run_files import BEST

MELODY = VOICES[0]
BAR, BEAT = 16, 4
"""Frames."""
GAP_STRIDES = {1: 5 * BAR, 4: 16 * BAR}
"""Frames from one missing stretch to the next, by its bars."""
ROWS = {
    "alto, tenor, bass | soprano": "lower",
    "soprano | alto, tenor, bass": "melody",
    "a missing bar": "bar",
    "its last quarter": "quarter",
    "four missing bars": "bars",
}


def task_nats(model: FillingLSTM, rolls: Sequence[PianoRoll]) -> dict[str, float]:
    """Nats per frame of each row of ``ROWS``, ``{row}_past`` and ``{row}``, and of ``continue``."""
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0])

    def add(name: str, log_prob: Tensor) -> None:
        sums[name][0] -= float(log_prob.double().sum())
        sums[name][1] += log_prob.numel()

    with torch.inference_mode():
        for roll in rolls:
            _add_piece(model, roll, add)
    melody = Given.parts(MELODY)
    return {
        **{name: total / count for name, (total, count) in sums.items()},
        "lower": likelihood(model, rolls, given=melody).nats,
        "melody": likelihood(model, rolls, given=~melody).nats,
    }


def _add_piece(model: FillingLSTM, roll: PianoRoll, add: Any) -> None:
    layout = layout_of(model)
    assert isinstance(layout, FrameLayout)
    frames = torch.from_numpy(roll.to_frames(layout).astype(np.float32))[None]
    nothing = torch.zeros(1, len(roll), len(layout.parts), dtype=torch.bool)
    melody = nothing.clone()
    melody[..., [part.name for part in layout.parts].index(MELODY)] = True
    free = cast(FillingDistribution, model(frames[:, :0], frames, given=GivenFrames.of(frames, nothing, layout)))
    log_prob = free.log_prob(frames)[0]
    add("continue", log_prob)
    for row, mask in (("lower", melody), ("melody", ~melody)):
        add(f"{row}_past", free.given(frames, given_columns(mask, layout)).log_prob(frames))
    for num_bars, stride in GAP_STRIDES.items():
        begins = range(BAR, len(roll) - (num_bars + 1) * BAR + 1, stride)
        if not begins:
            continue
        mask = torch.ones(len(begins), *nothing.shape[1:], dtype=torch.bool)
        for index, begin in enumerate(begins):
            mask[index, begin : begin + num_bars * BAR] = False
        copies = frames.expand(len(begins), -1, -1)
        given = GivenFrames.of(copies, mask, layout, end=torch.full((len(begins),), len(roll)))
        filled = model(copies[:, :0], copies, given=given).log_prob(copies)
        for index, begin in enumerate(begins):
            gap = slice(begin, begin + num_bars * BAR)
            last = slice(gap.stop - BEAT, gap.stop)
            for row, where in (("bar", gap), ("quarter", last)) if num_bars == 1 else (("bars", gap),):
                add(row, filled[index, where])
                add(f"{row}_past", log_prob[where])


def run(data: Any, hyperparameters: Mapping[str, Any], folder: Path, *, seed: int, split: str) -> dict[str, Any]:
    """Trains and scores, or reads the results of a finished run."""
    done = folder / f"figures-{split}.json"
    if done.exists():
        figures: dict[str, Any] = json.loads(done.read_text(encoding="utf-8"))
        return figures
    cpu = time.process_time()
    recipe = filling(data.train, **hyperparameters)
    trained = train(recipe, data.train, data.valid, seed=seed, checkpoint_dir=folder)
    cpu = time.process_time() - cpu
    model = load(folder / BEST)
    assert isinstance(model, FillingLSTM)
    figures = {"seed": seed, "parameters": trained.num_parameters, "cpu_seconds": cpu}
    figures |= task_nats(model.eval(), getattr(data, split))
    with writing(done) as temporary:
        temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return figures


def melody_alone(data: Split, folder: Path, *, seed: int, split: str, steps: int = 1000) -> float:
    """Nats per frame of the melody under a model of the melody alone; reads the result of a finished run."""
    done = folder / f"figures-{split}.json"
    if not done.exists():
        melodies = Split(*(tuple(roll[[MELODY]] for roll in rolls) for rolls in data))
        recipe = monophonic(melodies.train, order=(MELODY,), dropout=0.3, max_frames_per_batch=2048, steps=steps)
        model = train(recipe, melodies.train, melodies.valid, seed=seed, checkpoint_dir=folder).model
        figures = {"seed": seed, "melody": likelihood(model, getattr(melodies, split)).nats}
        with writing(done) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    return float(json.loads(done.read_text(encoding="utf-8"))["melody"])


def bound(runs: Sequence[Mapping[str, Any]], alone: Sequence[float]) -> str:
    """What the whole melody would be worth to exact models, from the mean nats of two kinds of models."""
    by_frames = float(np.mean([one["continue"] for one in runs]))
    given_past = by_frames - float(np.mean([one["lower_past"] for one in runs]))
    first = float(np.mean(alone))
    lower = float(np.mean([one["lower"] for one in runs]))
    return (
        f"{MELODY} given its own past {first:.3f}, given the past of all {given_past:.3f}: to exact models, all of it "
        f"is worth {first - given_past:.3f}\n"
        f"whole pieces, {MELODY} first {first + lower:.3f}, frame by frame {by_frames:.3f}"
    )


def report(runs: Sequence[Mapping[str, Any]], split: str) -> str:
    """The table: means over the seeds, and the gain of each."""
    mean = {key: float(np.mean([one[key] for one in runs])) for key in runs[0]}
    lines = [f"JSB16, {split}: nats per frame", f"{'':32}{'past':>8}{'all':>8}{'gain':>8}  gain of each seed"]
    for name, row in ROWS.items():
        gains = [one[f"{row}_past"] - one[row] for one in runs]
        lines.append(
            f"{name:32}{mean[f'{row}_past']:8.3f}{mean[row]:8.3f}{np.mean(gains):8.3f}  "
            + " ".join(f"{gain:.3f}" for gain in gains)
        )
    lines.append(f"{'continue':32}{mean['continue']:8.3f}")
    lines.append(f"{mean['parameters']:,.0f} weights, {mean['cpu_seconds'] / 60:.1f} minutes of processor time a seed")
    return "\n".join(lines)


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of Jsb16thSeparated.json; by default that of the environment")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--melody-alone", action="store_true", help="what the whole melody can be worth")
    parser.add_argument("--split", choices=("valid", "test"), default="test", help="the pieces that are scored")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="arguments of the recipe")
    parser.add_argument("--output", type=Path, default=Path("runs/filling"))
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        data = jsb16(arguments.data)
    except PianoRollSeq2SeqError as error:
        parser.error(str(error))
    hyperparameters = {key: ast.literal_eval(value) for key, value in (entry.split("=", 1) for entry in arguments.set)}
    label = ",".join(arguments.set).translate(str.maketrans("", "", "'\"{}() ")) or "default"
    hyperparameters["tasks"] = FillTasks(**hyperparameters.get("tasks", {}))
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    runs = [
        run(data, hyperparameters, arguments.output / label / f"seed-{seed}", seed=seed, split=arguments.split)
        for seed in seeds
    ]
    print(f"\n{label}\n{report(runs, arguments.split)}")
    if arguments.melody_alone:
        folder = arguments.output / "melody-alone"
        alone = [melody_alone(data, folder / f"seed-{seed}", seed=seed, split=arguments.split) for seed in seeds]
        print(bound(runs, alone))


if __name__ == "__main__":
    main()
