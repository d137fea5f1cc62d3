"""Trains a model in the manner of DeepBach on JSB16, and measures its chorales as ``harmonize.py`` measures ours.

    python benchmarks/deepbach.py --data FOLDER [--steps 1500] [--pieces 100] [--sweeps 200] [--output music]

DeepBach (Hadjeres, Pachet and Nielsen, 2017) predicts one voice of one frame from everything around it: a recurrent
network reads the frames before, another the frames after, and a third network the other voices of the frame. Such
conditionals do not multiply to a likelihood. Their mean logarithm is a *pseudo*-likelihood, which is no figure to set
beside exact ones: a cell is almost certain once both its neighbours in time are known. Music comes from pseudo-Gibbs
sampling: cells are drawn anew, several at once, from random voices on, with a share of them that falls (Yao and others,
2014). This model differs from the published one: its recurrent networks are shared by the voices and read the whole
piece instead of 16 frames to each side, pitches have no symbol for a held note since the set has no onsets, and there
are no fermatas and no keys. It learns transposed pieces, as ours do.
"""

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))

import numpy as np
import torch
from likelihood_sets import MARGIN, VOICES, jsb16
from torch import Tensor, nn
from torch.nn import functional
from tqdm import tqdm

from pianoroll_seq2seq import PianoRoll, score_chorales
from pianoroll_seq2seq._internal.atomic import writing
from pianoroll_seq2seq.errors import PianoRollSeq2SeqError
from pianoroll_seq2seq.parts import Part

BAR = 16
"""Frames of a bar of 4/4."""
FRAMES, BATCH = 128, 16
"""Frames of a training example, and examples of a step."""
FIRST_SHARE, LAST_SHARE, FALL = 0.9, 0.05, 0.7
"""The share of cells that are drawn at once, at first and at last, and the share of the sweeps in which it falls."""


class DeepBach(nn.Module):
    """The conditionals of each voice in each frame, given all other cells.

    Args:
        sizes: states of each voice: a rest, and its pitches.
        hidden_size: units of each recurrent network, and of each voice's network.
        dropout: dropout probability.
    """

    def __init__(self, sizes: Sequence[int], *, hidden_size: int = 200, dropout: float = 0.3) -> None:
        """Builds the layers."""
        super().__init__()
        self.sizes = tuple(sizes)
        total = sum(sizes)
        self.past: nn.LSTM = nn.LSTM(total + BAR, hidden_size, batch_first=True)
        self.future: nn.LSTM = nn.LSTM(total + BAR, hidden_size, batch_first=True)
        self.voices: nn.ModuleList = nn.ModuleList(
            nn.Sequential(
                nn.Dropout(dropout),
                nn.Linear(2 * hidden_size + total - size + BAR, hidden_size),
                nn.ReLU(),
                nn.Dropout(dropout),
                nn.Linear(hidden_size, size),
            )
            for size in sizes
        )

    def forward(self, states: Tensor, first: Tensor) -> list[Tensor]:
        """Logits (batch, frames, size) of each voice.

        Args:
            states: the state of each voice, (batch, frames, voices): 0 for a rest, then one for each pitch.
            first: the place in its bar of the first frame of each example, (batch,).
        """
        cells = [functional.one_hot(states[..., voice], size).float() for voice, size in enumerate(self.sizes)]
        place = (first[:, None] + torch.arange(states.shape[1])) % BAR
        metre = functional.one_hot(place, BAR).float()
        frames = torch.cat([*cells, metre], dim=2)
        past, _ = self.past(functional.pad(frames[:, :-1], (0, 0, 1, 0)))
        future = self.future(functional.pad(frames[:, 1:], (0, 0, 0, 1)).flip(1))[0].flip(1)
        around = torch.cat([past, future, metre], dim=2)
        return [
            network(torch.cat([around, *cells[:voice], *cells[voice + 1 :]], dim=2))
            for voice, network in enumerate(self.voices)
        ]


def states_of(roll: PianoRoll) -> np.ndarray:
    """The state of each voice, (frames, voices)."""
    blocks = [roll.active[:, roll.columns(voice)] for voice in VOICES]
    return np.stack([np.where(block.any(axis=1), block.argmax(axis=1) + 1, 0) for block in blocks], axis=1)


def roll_of(states: np.ndarray, like: PianoRoll) -> PianoRoll:
    """The roll of some states, on the grid of another roll."""
    blocks = [states[:, [voice]] == np.arange(1, 1 + len(part.pitches)) for voice, part in enumerate(like.parts)]
    active = np.concatenate(blocks, axis=1)
    return PianoRoll.from_active(active, parts=like.parts, tempo=like.tempo, grid=like.grid, name=like.name)


def examples(
    pieces: Sequence[np.ndarray], sizes: Sequence[int], rng: np.random.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """A training batch: stretches of pieces, transposed within the pitches of the voices.

    Returns:
        The states, which frames are no padding, and the place in its bar of each first frame.
    """
    inside = np.zeros((BATCH, FRAMES), dtype=bool)
    batch, first = np.zeros((BATCH, FRAMES, len(sizes)), dtype=np.int64), np.zeros(BATCH, dtype=np.int64)
    for row in range(BATCH):
        piece = pieces[int(rng.integers(len(pieces)))]
        begin = int(rng.integers(max(1, len(piece) - FRAMES + 1)))
        stretch = piece[begin : begin + FRAMES]
        moved = np.where(stretch > 0, stretch + rng.integers(-MARGIN, MARGIN + 1), 0)
        if ((moved < 0) | (moved >= np.array(sizes)) | ((moved == 0) & (stretch > 0))).any():
            moved = stretch
        batch[row, : len(moved)] = moved
        inside[row, : len(moved)] = True
        first[row] = begin % BAR
    return torch.from_numpy(batch), torch.from_numpy(inside), torch.from_numpy(first)


def train(pieces: Sequence[np.ndarray], sizes: Sequence[int], *, steps: int, seed: int) -> DeepBach:
    """A model trained on the cells of all voices."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    model = DeepBach(sizes)
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 4e-3, total_steps=steps)
    for _ in tqdm(range(steps), "DeepBach", unit="step"):
        states, inside, first = examples(pieces, sizes, rng)
        losses = [
            functional.cross_entropy(values[inside], states[..., voice][inside])
            for voice, values in enumerate(model(states, first))
        ]
        loss = torch.stack(losses).sum()
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


@torch.inference_mode()
def pseudo_nats(model: DeepBach, pieces: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean negative logarithm of each voice's conditional, in nats a cell."""
    sums, count = torch.zeros(len(model.sizes), dtype=torch.float64), 0
    for piece in pieces:
        states = torch.from_numpy(piece)[None]
        for voice, values in enumerate(model(states, torch.zeros(1, dtype=torch.int64))):
            sums[voice] += functional.cross_entropy(values[0], states[0, :, voice], reduction="sum").double()
        count += len(piece)
    return dict(zip(VOICES, (sums / count).tolist(), strict=True))


@torch.inference_mode()
def harmonizations(model: DeepBach, pieces: Sequence[np.ndarray], *, sweeps: int, seed: int) -> list[np.ndarray]:
    """The pieces with all voices but the first drawn anew.

    Args:
        model: the model.
        pieces: their states.
        sweeps: how often some of the cells are drawn.
        seed: of the draws.
    """
    generator = torch.Generator().manual_seed(seed)
    written = []
    for piece in tqdm(pieces, "harmonizations", unit="piece"):
        states = torch.from_numpy(piece)[None].clone()
        for voice, size in enumerate(model.sizes[1:], start=1):
            states[..., voice] = torch.randint(1, size, states.shape[:2], generator=generator)
        for sweep in range(sweeps):
            share = max(LAST_SHARE, FIRST_SHARE - (FIRST_SHARE - LAST_SHARE) * sweep / (FALL * sweeps))
            logits = model(states, torch.zeros(1, dtype=torch.int64))
            for voice in range(1, len(model.sizes)):
                drawn = torch.multinomial(torch.softmax(logits[voice][0], dim=1), 1, generator=generator)[:, 0]
                chosen = torch.rand(len(piece), generator=generator) < share
                states[0, :, voice] = torch.where(chosen, drawn, states[0, :, voice])
        written.append(states[0].numpy())
    return written


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, help="folder of Jsb16thSeparated.json; by default that of the environment")
    parser.add_argument("--steps", type=int, default=1500, help="of training")
    parser.add_argument("--sweeps", type=int, default=200, help="of sampling")
    parser.add_argument("--pieces", type=int, default=100, help="harmonizations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--output", type=Path, help="folder for MIDI files and figures.json")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    try:
        data = jsb16(arguments.data)
    except PianoRollSeq2SeqError as error:
        parser.error(str(error))
    parts: Sequence[Part] = data.train[0].parts
    sizes = [1 + len(part.pitches) for part in parts]
    started = time.process_time()
    model = train([states_of(roll) for roll in data.train], sizes, steps=arguments.steps, seed=arguments.seed)
    minutes = (time.process_time() - started) / 60
    nats = pseudo_nats(model, [states_of(roll) for roll in data.test])
    lower = sum(nats[voice] for voice in VOICES[1:])
    sopranos = [data.test[index % len(data.test)] for index in range(arguments.pieces)]
    drawn = harmonizations(model, [states_of(roll) for roll in sopranos], sweeps=arguments.sweeps, seed=arguments.seed)
    written = [roll_of(states, roll) for states, roll in zip(drawn, sopranos, strict=True)]
    scores = score_chorales(written, sopranos, training=data.train, melody=VOICES[0])
    print(scores)
    print(f"\npseudo-likelihood of alto, tenor and bass, no likelihood: {lower:.3f} nats a frame")
    print(f"{sum(p.numel() for p in model.parameters()):,} weights, {minutes:.1f} minutes of processor time")
    if arguments.output is not None:
        for index, roll in enumerate(written):
            roll.to_midi(arguments.output / f"{index:03}.mid", overwrite=True)
        figures: dict[str, Any] = {**scores.to_json(), "pseudo_nats": nats, "cpu_minutes": minutes}
        with writing(arguments.output / "figures.json", overwrite=True) as temporary:
            temporary.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
