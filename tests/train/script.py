"""A training script, as users write them: run alone, under torchrun, killed and started again.

    python script.py FOLDER [--checkpoint-seconds S] [--pause S] [--double] [--plain] [--signal NUMBER STEP]

The first process writes the exact results to FOLDER/result.json, each a digest of its weights to FOLDER/weights-RANK.
"""

import argparse
import hashlib
import itertools
import json
import os
import signal
import time
from pathlib import Path

import numpy as np
import torch

from pianoroll_seq2seq import (
    Augmentation,
    FrameDistribution,
    FrameLayout,
    JsonlTracker,
    LocalStore,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    cosine_schedule,
    fit,
)
from pianoroll_seq2seq.train import StepEnd, join_processes


def windows(seed: int, augmentation: Augmentation | None = None, pieces: int = 3) -> SlidingWindows:
    random = np.random.default_rng(seed)
    rolls = [PianoRoll.from_active(random.random((60, 7)) < 0.3, pitches=PitchRange(60, 66)) for _ in range(pieces)]
    layout = FrameLayout.of(rolls[0], onsets=False)
    return SlidingWindows(rolls, input_frames=4, target_frames=4, hop=1, augmentation=augmentation, layout=layout)


class Double(Seq2SeqLSTM):
    """The model in float64, so that sums in another order agree to many digits."""

    def forward(self, inputs: torch.Tensor, targets: torch.Tensor) -> FrameDistribution:
        return super().forward(inputs.double(), targets.double())


def digest(tensors: dict[str, torch.Tensor]) -> str:
    whole = hashlib.sha256()
    for name in sorted(tensors):
        whole.update(tensors[name].detach().cpu().contiguous().numpy().tobytes())
    return whole.hexdigest()


def parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint-seconds", type=float, default=0.0)
    parser.add_argument("--pause", type=float, default=0.0, help="after each step")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--accumulate", type=int, default=1)
    parser.add_argument("--batch-size", type=int, default=5)
    parser.add_argument("--double", action="store_true", help="in float64")
    parser.add_argument("--plain", action="store_true", help="without dropout, noise and augmentation")
    parser.add_argument("--die-once", type=int, nargs=2, metavar=("RANK", "STEP"))
    parser.add_argument("--signal", type=int, nargs=2, metavar=("NUMBER", "STEP"), help="sent to the first process")
    parser.add_argument("--store", type=Path, help="a folder that gets every checkpoint too")
    parser.add_argument("--gradients", action="store_true", help="write those of the first step")
    return parser.parse_args(arguments)


def main(arguments: list[str] | None = None) -> None:
    given = parse(arguments)
    given.folder.mkdir(exist_ok=True)
    torch.set_num_threads(1)
    with join_processes() as processes:
        torch.manual_seed(processes.rank)  # fit gives all processes the weights of the first
        noise = {} if given.plain else {"dropout": 0.3, "input_noise": 0.1}
        model = (Double if given.double else Seq2SeqLSTM)(
            7, hidden_size=6, num_encoder_layers=1, num_decoder_layers=2, **noise
        )
        if given.double:
            model.double()
        optimizer = torch.optim.AdamW(model.parameters(), lr=0.02, fused=not given.double)
        gradients: dict[str, list[float]] = {}

        def after_step(event: StepEnd) -> None:
            if given.gradients and event.step == 1:
                for name, weight in model.named_parameters():
                    gradients[name] = weight.grad.flatten().tolist()
            time.sleep(given.pause)
            if given.signal and event.step == given.signal[1] and processes.is_first:
                os.kill(os.getpid(), given.signal[0])
            mark = given.folder / "died"
            if given.die_once == [processes.rank, event.step] and not mark.exists():
                mark.touch()
                os.kill(os.getpid(), signal.SIGKILL)

        tracker = JsonlTracker(given.folder / f"events-{processes.rank}.jsonl")
        with tracker:
            history = fit(
                model,
                windows(0, None if given.plain else Augmentation(semitones=(-1, 1))),
                windows(1, pieces=2),
                epochs=given.epochs,
                batch_size=given.batch_size,
                accumulate=given.accumulate,
                optimizer=optimizer,
                schedule=cosine_schedule(0.2),
                ema_decay=None if given.plain else 0.9,
                on_step=[after_step],
                tracker=tracker,
                checkpoint_dir=given.folder / "run",
                checkpoint_seconds=given.checkpoint_seconds,
                checkpoint_store=None if given.store is None else LocalStore(given.store),
                seed=5,
                progress=False,
            )
        if processes.is_first:
            result = {
                "weights": digest(model.state_dict()),
                "values": {name: value.flatten().tolist() for name, value in model.state_dict().items()},
                "losses": [[epoch.train_loss, epoch.valid_loss] for epoch in history.epochs],
                "steps": [epoch.step for epoch in history.epochs],
                "best": history.best_epoch,
                "gradients": gradients,
                "processes": processes.world_size,
            }
            (given.folder / "result.json").write_text(json.dumps(result))
        (given.folder / f"weights-{processes.rank}").write_text(digest(model.state_dict()))


def main_and_die(at: int, arguments: list[str]) -> None:
    """Trains, and is killed at the given write: when a file is half written, flushed or moved."""
    calls = itertools.count(1)
    write_bytes, replace, fsync = Path.write_bytes, Path.replace, os.fsync

    def die() -> None:
        if next(calls) == at:
            os.kill(os.getpid(), signal.SIGKILL)

    def write_half(path: Path, data: bytes) -> int:
        write_bytes(path, data[: len(data) // 2])
        die()
        return write_bytes(path, data)

    def flush(descriptor: int) -> None:
        die()
        fsync(descriptor)

    def move(path: Path, target: Path) -> Path:
        die()
        moved = replace(path, target)
        die()
        return moved

    Path.write_bytes, Path.replace, os.fsync = write_half, move, flush  # type: ignore[method-assign]
    main(arguments)


if __name__ == "__main__":
    main()
