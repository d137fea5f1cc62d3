"""The ways to train that train.py, scaling.py and gpu.py compare, by way of worker.py.

All train on the same windows, in batches of one size, in an order of their own, and validate after every epoch.
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
    FrameLayout,
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
from pianoroll_seq2seq.models.parallel_lstm import ParallelSeq2SeqLSTM
from pianoroll_seq2seq.train import Precision, mean_loss
from pianoroll_seq2seq.train.precision import cpu_has_bfloat16

FRAMES, DROPOUT, RATE = 50, 0.3, 1e-3
_GRID = SecondsGrid(0.02)
_Part = Literal["train", "valid"]


@dataclass(frozen=True)
class Sizes:
    """A model with two encoder and two decoder layers that writes 50 frames in parallel, as in 2017, or one by one."""

    pitches: PitchRange
    hidden_size: int
    parallel: bool

    def products(self) -> tuple[int, int]:
        """Floating-point operations of a window's matrix products: forward alone, and in training.

        In training each product has two more for its gradients, except products with input frames, which have one.
        """
        width, gates = len(self.pitches), 4 * self.hidden_size
        frames = [width] if self.parallel else [width, width]  # sizes of the inputs that are frames
        read = sum(frames) + (4 - len(frames)) * self.hidden_size
        forward = 2 * FRAMES * (gates * (read + 4 * self.hidden_size) + self.hidden_size * width)
        return forward, 3 * forward - 2 * FRAMES * gates * sum(frames)


MODELS = {"2017": Sizes(PitchRange(33, 81), 64, parallel=True), "2x512": Sizes(PitchRange(), 512, parallel=False)}


@dataclass(frozen=True)
class Job:
    """A training job: the model, the data and the device."""

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
        """Windows of the library."""
        rolls, layout = self.rolls(part), layout_of(self.sizes)
        return SlidingWindows(rolls, input_frames=FRAMES, target_frames=FRAMES, hop=FRAMES, layout=layout)

    def arrays(self, part: _Part) -> Tensor:
        """All windows in one tensor, input and target one after the other."""
        windows = self.windows(part)
        return torch.cat(windows.batch(np.arange(len(windows))), dim=1)


@dataclass(frozen=True)
class Epoch:
    """The seconds of an epoch, those of processor time, and its validation loss in nats per frame."""

    seconds: float
    cpu_seconds: float
    valid_loss: float


def clock() -> tuple[float, float]:
    """The time now, and the processor time of this process so far."""
    return time.perf_counter(), time.process_time()


def write_data(midi_dir: Path, sizes: Sizes, path: Path, pieces: int | None) -> tuple[int, int]:
    """Splits a folder of MIDI files, and writes frames for all contenders. Returns the windows of each part."""
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


def layout_of(sizes: Sizes) -> FrameLayout:
    """The frames of all contenders: sounding pitches, without onsets."""
    return FrameLayout(_GRID, sizes.pitches, planes=("active",))


def build_model(sizes: Sizes) -> Seq2SeqLSTM | ParallelSeq2SeqLSTM:
    """The library's model."""
    layout = layout_of(sizes)
    if sizes.parallel:
        return ParallelSeq2SeqLSTM(
            layout, hidden_size=sizes.hidden_size, dropout=DROPOUT, block_frames=FRAMES, batch_norm=True
        )
    return Seq2SeqLSTM(layout, hidden_size=sizes.hidden_size, dropout=DROPOUT, block_frames=FRAMES)


class PlainModel(nn.Module):
    """The same model, written by hand with PyTorch's modules."""

    def __init__(self, sizes: Sizes) -> None:
        """Builds the layers."""
        super().__init__()
        width, hidden = len(sizes.pitches), sizes.hidden_size
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
    """A loop written by hand: Adam, batches by indices, and the running loss fetched at every step."""
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
    """What ``fit`` computes, without threads, signals, progress bar and files."""
    train, valid = job.windows("train"), job.windows("valid")
    model = build_model(job.sizes).to(job.device)
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
    """``fit`` with a progress bar, a tracker, and checkpoints after every epoch."""
    train, valid = job.windows("train"), job.windows("valid")
    model = build_model(job.sizes).to(job.device)
    marks: list[tuple[float, float]] = []
    with tempfile.TemporaryDirectory() as folder, JsonlTracker(Path(folder) / "events.jsonl") as tracker:
        begun = clock()
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
            on_epoch=[lambda _: marks.append(clock())],
            seed=job.seed,
        )
    if not marks:  # not the first process
        return []
    # Each except the first includes the files of the epoch before.
    seconds = np.diff([begun, *marks], axis=0).tolist()
    losses = [epoch.valid_loss for epoch in history.epochs if epoch.valid_loss is not None]
    return [Epoch(wall, cpu, loss) for (wall, cpu), loss in zip(seconds, losses, strict=True)]


def in_turns(loop: Callable[[Job, Precision], Iterator[float]], job: Job, precision: Precision) -> list[Epoch]:
    """The epochs of a loop that yields its validation losses."""
    losses, done = loop(job, precision), []
    for _ in range(job.epochs):
        (begun, cpu_begun), loss, (ended, cpu_ended) = clock(), next(losses), clock()
        done.append(Epoch(ended - begun, cpu_ended - cpu_begun, loss))
    return done


def no_bfloat16(name: str, device: str = "cpu") -> str:
    """Why a contender of this name cannot run, if it needs bfloat16; empty if it can."""
    unable = device == "cpu" and "bfloat16" in name and not cpu_has_bfloat16()
    return "this CPU has no bfloat16" if unable else ""


def _autocast(job: Job, precision: Precision) -> AbstractContextManager[Any]:
    return torch.autocast(job.device.type, dtype=torch.bfloat16, enabled=precision == "bfloat16")
