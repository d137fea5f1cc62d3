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
# A model remembers the past. A *head* turns this memory into a distribution over the pitches of the next frame, and
# is an argument of the model. This page trains one model with four heads, and then with one of your own.

# %%
from functools import partial

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
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
pitches = PitchRange(42, 90)
rolls = [PianoRoll.from_score(score, grid=BeatGrid(1), pitches=pitches) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=12, target_frames=12, hop=12) for part in split)
len(train)

# %% [markdown]
# ## Four heads, one model
#
# A head is passed as a class. The model builds it with the size of the decoder's output and its layout.
# `functools.partial` sets other arguments.

# %%
heads = {
    "independent": BernoulliHead,
    "independent, relative": RelativeBernoulliHead,
    "pitch by pitch": NADEHead,
    "pitch by pitch, relative": partial(RelativeWindowHead, channels=32),
}

# %%
scores, histories, models = {}, {}, {}
for name, head in heads.items():
    torch.manual_seed(0)
    models[name] = Seq2SeqLSTM(train.layout, hidden_size=48, num_encoder_layers=1, num_decoder_layers=1, head=head)
    optimizer = torch.optim.Adam(models[name].parameters(), lr=0.004)
    histories[name] = fit(models[name], train, valid, epochs=3, batch_size=32, optimizer=optimizer, progress=False)
    scores[name] = evaluate(models[name], test).model.all.nats
for name, nats in scores.items():
    print(f"{name:28}{nats:6.2f} nats per frame")

# %%
from pianoroll_seq2seq.display.plot import plot_histories

ax = plot_histories(histories)

# %% [markdown]
# Two properties help. *Relative* heads read what sounds around every pitch, with the same weights for all: what
# they learn in one key holds in all twelve. Heads that decide *pitch by pitch* know which lower pitches sound,
# so they can say "either this chord or that one". Independent pitches can only say "all of these are likely", and a
# sample is a mixture.
#
# The music shows it: count how many notes sound at once, and how often two are a semitone apart.

# %%
import numpy as np

from pianoroll_seq2seq.evaluation.music_metrics import polyphony, semitone_clashes

primers = [piece[:12] for piece in split.test] * 2
for name, model in models.items():
    generated = generate(model, primers, num_frames=24, seed=1)
    notes_at_once = np.nanmean([polyphony(roll) for roll in generated])
    clashes = np.nanmean([semitone_clashes(roll) for roll in generated])
    print(f"{name:28}{notes_at_once:6.1f} notes at once, clashes in {clashes:.0%} of the frames")

# %% [markdown]
# After three epochs only the head with both properties has learned which notes go together. The others need longer,
# and independent pitches never quite learn it. [Models and heads](../models.md) has the figures of long training,
# beside those of published models.
#
# ## A head of your own
#
# A head is a `torch.nn.Module` with three attributes and two methods. It does not import its contract
# ({class}`~pianoroll_seq2seq.models.heads.contract.OutputHead`).

# %%
from torch import nn

from pianoroll_seq2seq import Bernoulli


class TwoLayerHead(nn.Module):
    """Independent pitches, with a hidden layer before the last one."""

    context_frames = 0  # it reads no past frames; None would mean all of them

    def __init__(self, in_features, layout):
        super().__init__()
        self.in_features, self.layout, self.frame_size = in_features, layout, layout.frame_size
        self.layers = nn.Sequential(nn.Linear(in_features, 96), nn.GELU(), nn.Linear(96, self.frame_size))

    def forward(self, features, past):  # (batch, steps, in_features), (batch, known, frame_size)
        return Bernoulli(self.layers(features))

    def settings(self):  # the constructor's arguments, so that a checkpoint can build it again
        return {"in_features": self.in_features, "layout": self.layout}


torch.manual_seed(0)
model = Seq2SeqLSTM(train.layout, hidden_size=48, num_encoder_layers=1, num_decoder_layers=1, head=TwoLayerHead)
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
# A checkpoint has settings and weights, but no code, so pass the class when you open it:

# %%
from pianoroll_seq2seq import open_model

again = open_model("runs/two-layers", classes=[TwoLayerHead]).model
evaluate(again, test) == evaluate(model, test)

# %% [markdown]
# To add it to the library, beside the other heads: [add a head](../extending.md#a-head).
