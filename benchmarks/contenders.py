"""The ways to train that train.py, scaling.py and gpu.py compare, by way of worker.py.

All hear the same windows, in batches of one size, in an order of their own, and validate after every epoch.
"""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from pianoroll_seq2seq import (
    JsonlTracker,
    PianoRoll,
    PitchRange,
    SecondsGrid,
    Seq2SeqLSTM,
    SlidingWindows,
    drop_duplicates,
    fit,
    pitch_class_set,
    read_folder,
    split_by_piece,
)
from pianoroll_seq2seq.train import Precision, mean_loss
from pianoroll_seq2seq.train.precision import cpu_has_bfloat16

FRAMES, DROPOUT, RATE = 50, 0.3, 1e-3
_GRID = SecondsGrid(0.02)
_Part = Literal["train", "valid"]


@dataclass(frozen=True)
class Sizes:
    """A model: two layers read, two write; all 50 frames at once, as in 2017, or each hearing those before it."""

    pitches: PitchRange
    hidden: int
    parallel: bool

    def products(self) -> tuple[int, int]:
        """Floating-point operations of a window's matrix products: forward alone, and in training.

        In training each product has two more for its gradients, but for what the input frames are multiplied with.
        """
        width, gates = len(self.pitches), 4 * self.hidden
        frames = [width] if self.parallel else [width, width]  # what layers read of the piano roll
        read = sum(frames) + (4 - len(frames)) * self.hidden
        forward = 2 * FRAMES * (gates * (read + 4 * self.hidden) + self.hidden * width)
        return forward, 3 * forward - 2 * FRAMES * gates * sum(frames)


MODELS = {"2017": Sizes(PitchRange(33, 81), 64, parallel=True), "2x512": Sizes(PitchRange(), 512, parallel=False)}


@dataclass(frozen=True)
class Job:
    """What to train, and on what."""

    sizes: Sizes
    data: Path
    epochs: int
    batch_size: int
    seed: int
    device: torch.device

    def rolls(self, part: _Part) -> list[PianoRoll]:
        """The pieces."""
        with np.load(self.data) as arrays:
            frames, ends = arrays[f"{part}_frames"], np.cumsum(arrays[f"{part}_lengths"])
        return [
            PianoRoll.from_active(piece, grid=_GRID, pitches=self.sizes.pitches)
            for piece in np.split(frames, ends[:-1])
        ]

    def windows(self, part: _Part) -> SlidingWindows:
        """As the library has them."""
        return SlidingWindows(self.rolls(part), input_frames=FRAMES, target_frames=FRAMES, hop=FRAMES)

    def arrays(self, part: _Part) -> Tensor:
        """As others have them: all windows in one tensor, input and target one after the other."""
        windows = self.windows(part)
        return torch.cat(windows.batch(np.arange(len(windows))), dim=1)


@dataclass(frozen=True)
class Epoch:
    """What an epoch came to: all of its seconds, and nats per frame of validation."""

    seconds: float
    valid_loss: float


def write_data(midi_dir: Path, sizes: Sizes, path: Path, pieces: int | None) -> tuple[int, int]:
    """Splits a folder of MIDI files, and writes frames for all contenders; how many windows there are of each part."""
    rolls, _ = read_folder(midi_dir, grid=_GRID, pitches=sizes.pitches, outside="drop")
    distinct, _ = drop_duplicates([roll for roll in rolls if len(roll) >= 2 * FRAMES])
    split = split_by_piece(distinct, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
    arrays, counts = {}, []
    for part, some in (("train", split.train[:pieces]), ("valid", split.valid[: pieces and -(-pieces // 8)])):
        arrays[f"{part}_frames"] = np.concatenate([roll.active for roll in some])
        arrays[f"{part}_lengths"] = np.array([len(roll) for roll in some])
        counts.append(sum(len(roll) // FRAMES - 1 for roll in some))
    np.savez_compressed(path, **arrays)  # type: ignore[arg-type]
    return counts[0], counts[1]


def built(sizes: Sizes) -> Seq2SeqLSTM:
    """The library's model."""
    return Seq2SeqLSTM(
        len(sizes.pitches),
        hidden_size=sizes.hidden,
        dropout=DROPOUT,
        decoder="parallel" if sizes.parallel else "autoregressive",
        block_frames=FRAMES,
        batch_norm=sizes.parallel,
    )


class PlainModel(nn.Module):
    """The same model in PyTorch's own modules, as one writes it by hand."""

    def __init__(self, sizes: Sizes) -> None:
        """Builds the layers."""
        super().__init__()
        width, hidden = len(sizes.pitches), sizes.hidden
        self.parallel = sizes.parallel
        self.encoder = nn.LSTM(width, hidden, 2, batch_first=True, dropout=DROPOUT)
        self.decoder = nn.LSTM(hidden if sizes.parallel else width, hidden, 2, batch_first=True, dropout=DROPOUT)
        self.dropout = nn.Dropout(DROPOUT)
        if sizes.parallel:
            self.encoder_norm, self.decoder_norm = nn.BatchNorm1d(hidden), nn.BatchNorm1d(hidden)
        self.logits = nn.Linear(hidden, width)

    def forward(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Log-odds of every pitch of every target frame."""
        outputs, memory = self.encoder(inputs)
        if self.parallel:
            context = self.encoder_norm(self.dropout(outputs[:, -1]))
            features, _ = self.decoder(context.unsqueeze(1).repeat(1, targets.shape[1], 1))
            features = self.decoder_norm(self.dropout(features).transpose(1, 2)).transpose(1, 2)
        else:
            features, _ = self.decoder(torch.cat([inputs[:, -1:], targets[:, :-1]], dim=1), memory)
            features = self.dropout(features)
        logits: Tensor = self.logits(features)
        return logits


def by_hand(job: Job, precision: Precision) -> Iterator[float]:
    """The loop that goes with it: Adam, a batch by its indices, the running loss fetched at every step."""
    train, valid = job.arrays("train"), job.arrays("valid")
    model = PlainModel(job.sizes).to(job.device)
    loss_of, optimizer = nn.BCEWithLogitsLoss(), torch.optim.Adam(model.parameters(), lr=RATE)

    def loss_on(windows: Tensor) -> Tensor:
        windows = windows.to(job.device)
        inputs, targets = windows[:, :FRAMES], windows[:, FRAMES:]
        with _autocast(job, precision):
            loss: Tensor = loss_of(model(inputs, targets), targets)
        return loss

    while True:
        model.train()
        running = 0.0
        for batch in torch.split(torch.randperm(len(train)), job.batch_size):
            optimizer.zero_grad()
            loss = loss_on(train[batch])
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            running += loss.item() * len(batch)
        model.eval()
        with torch.no_grad():
            parts = torch.split(valid, job.batch_size)
            total = sum(float(loss_on(part)) * len(part) for part in parts)
        yield total / len(valid) * len(job.sizes.pitches)


def bare(job: Job, precision: Precision) -> Iterator[float]:
    """What ``fit`` computes, and nothing around it: no thread, no signals, no progress, no files."""
    train, valid = job.windows("train"), job.windows("valid")
    model = built(job.sizes).to(job.device)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, fused=True)
    memory = torch.empty(job.batch_size, 2 * FRAMES, len(job.sizes.pitches))
    random = np.random.default_rng(job.seed)
    while True:
        model.train()
        running = torch.zeros((), dtype=torch.float64, device=job.device)
        for batch in np.array_split(random.permutation(len(train)), -(-len(train) // job.batch_size)):
            inputs, targets = (half.to(job.device) for half in train.batch(batch, out=memory))
            optimizer.zero_grad(set_to_none=True)
            with _autocast(job, precision):
                loss = -model(inputs, targets).log_prob(targets).mean()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            running += loss.detach() * len(batch)
        yield mean_loss(model, valid, batch_size=job.batch_size)


def fitted(job: Job, precision: Precision, *, compiled: bool = False) -> list[Epoch]:
    """``fit`` with all that goes with it: a progress bar, a tracker, and checkpoints after every epoch."""
    train, valid = job.windows("train"), job.windows("valid")
    model = built(job.sizes).to(job.device)
    marks: list[float] = []
    with tempfile.TemporaryDirectory() as folder, JsonlTracker(Path(folder) / "events.jsonl") as tracker:
        begun = time.perf_counter()
        history = fit(
            model,
            train,
            valid,
            epochs=job.epochs,
            batch_size=job.batch_size,
            precision=precision,
            compile_model=compiled,
            tracker=tracker,
            checkpoint_dir=Path(folder) / "run",
            on_epoch=[lambda _: marks.append(time.perf_counter())],
            seed=job.seed,
        )
    if not marks:  # another process than the first
        return []
    seconds = np.diff([begun, *marks]).tolist()  # each but the first with the files of the epoch before
    losses = [epoch.valid_loss for epoch in history.epochs if epoch.valid_loss is not None]
    return [Epoch(*pair) for pair in zip(seconds, losses, strict=True)]


def in_turns(loop: Callable[[Job, Precision], Iterator[float]], job: Job, precision: Precision) -> list[Epoch]:
    """The epochs of a loop that gives its validation losses one by one."""
    losses, done = loop(job, precision), []
    for _ in range(job.epochs):
        begun = time.perf_counter()
        loss = next(losses)
        done.append(Epoch(time.perf_counter() - begun, loss))
    return done


def no_bfloat16(name: str, device: str = "cpu") -> str:
    """Why a contender of this name cannot be run, if it is for want of digits."""
    unable = device == "cpu" and "bfloat16" in name and not cpu_has_bfloat16()
    return "this CPU has no bfloat16" if unable else ""


def _autocast(job: Job, precision: Precision) -> AbstractContextManager[Any]:
    return torch.autocast(job.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
