# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Swap the head
#
# A model remembers; a *head* turns its memory into a distribution over the pitches of the next frame. It is an object
# that you pass in. Here one model is trained with four heads, and then with one of your own.

# %%
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    BernoulliHead,
    NADEHead,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    RelativeWindowHead,
    Seq2SeqLSTM,
    SlidingWindows,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
pitches = PitchRange(42, 90)
rolls = [PianoRoll.from_score(score, grid=BeatGrid(1), pitches=pitches) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=12, target_frames=12, hop=12) for part in split)
len(train)

# %% [markdown]
# ## Four heads, one model
#
# A head needs to know the size of the decoder's output and the number of pitches; the others have settings besides,
# and sensible defaults.

# %%
torch.manual_seed(0)
size = 48
heads = {
    "each for itself": BernoulliHead(size, len(pitches)),
    "each for itself, relative": RelativeBernoulliHead(size, len(pitches)),
    "one by one": NADEHead(size, len(pitches)),
    "one by one, relative": RelativeWindowHead(size, len(pitches), channels=32),
}

# %%
scores, histories, models = {}, {}, {}
for name, head in heads.items():
    models[name] = Seq2SeqLSTM(len(pitches), hidden=size, encoder_layers=1, decoder_layers=1, head=head)
    optimizer = torch.optim.Adam(models[name].parameters(), lr=0.004)
    histories[name] = fit(models[name], train, valid, epochs=3, batch_size=32, optimizer=optimizer, progress=False)
    scores[name] = evaluate(models[name], test).model.all.nats
for name, nats in scores.items():
    print(f"{name:28}{nats:6.2f} nats per frame")

# %%
from pianoroll_seq2seq.plot import plot_histories

ax = plot_histories(histories)

# %% [markdown]
# Two things help. *Relative* heads judge every pitch by what sounds around it, with the same weights for all: what
# they learn in one key holds in all twelve. Heads that decide *one by one* know which lower pitches sound already, so
# they can say "either this chord or that one". Independent pitches can only say "all of these are likely", and what
# is drawn is a bit of each.
#
# It can be heard, and counted: how many notes sound at once, and how often two lie a semitone apart.

# %%
import numpy as np

from pianoroll_seq2seq.music_metrics import polyphony, semitone_clashes

primers = [piece[:12] for piece in split.test] * 2
for name, model in models.items():
    played = generate(model, primers, frames=24, seed=1)
    notes_at_once = np.nanmean([polyphony(roll) for roll in played])
    clashes = np.nanmean([semitone_clashes(roll) for roll in played])
    print(f"{name:28}{notes_at_once:6.1f} notes at once, clashes in {clashes:.0%} of the frames")

# %% [markdown]
# After three epochs only the head with both properties has learned which notes go together; the others need longer,
# and independent pitches never quite do. [Models and heads](../models.md) has the figures of long training, beside
# those of published models.
#
# ## One of your own
#
# A head is a `torch.nn.Module` with three attributes and two methods. It imports nothing of the contract that it
# fills ({class}`~pianoroll_seq2seq.heads.base.OutputHead`).

# %%
from torch import nn

from pianoroll_seq2seq import Bernoulli


class TwoLayerHead(nn.Module):
    """Independent pitches, with a layer of its own before the last."""

    context_frames = 0  # it looks at no past frames; None would mean all of them

    def __init__(self, features, pitches):
        super().__init__()
        self.features, self.pitches = features, pitches
        self.layers = nn.Sequential(nn.Linear(features, 96), nn.GELU(), nn.Linear(96, pitches))

    def forward(self, features, past):  # (batch, steps, features), (batch, known, pitches)
        return Bernoulli(self.layers(features))

    def settings(self):  # the constructor's arguments, so that a checkpoint can build it again
        return {"features": self.features, "pitches": self.pitches}


torch.manual_seed(0)
model = Seq2SeqLSTM(
    len(pitches), hidden=size, encoder_layers=1, decoder_layers=1, head=TwoLayerHead(size, len(pitches))
)
fit(
    model,
    train,
    valid,
    epochs=12,
    batch_size=32,
    optimizer=torch.optim.Adam(model.parameters(), lr=0.004),
    checkpoint_dir="runs/two-layers",
    progress=False,
)
print(evaluate(model, test))

# %% [markdown]
# A checkpoint holds settings and weights, but no code, so loading needs to be told the class:

# %%
from pianoroll_seq2seq import load

again = load("runs/two-layers/best.safetensors", classes=[TwoLayerHead])
evaluate(again, test) == evaluate(model, test)

# %% [markdown]
# To put it into the library, beside the others: [add a head](../extending.md#a-head).
