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
# # Condition on a scale
#
# A model can be told something about the music besides its notes: a composer, a chord, the beat of the bar. Here it
# is told the scale, and then plays in whatever scale it is told.

# %%
import numpy as np
import torch

from pianoroll_seq2seq import (
    Augmentation,
    BeatGrid,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    pitch_class_set,
    pitch_class_vector,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
grid, pitches = BeatGrid(1), PitchRange(42, 92)  # room for half an octave of transposition
rolls = [PianoRoll.from_score(score, grid=grid, pitches=pitches) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)

# %% [markdown]
# ## What it is told
#
# A condition is an array: `(size,)` for a whole piece, `(frames, size)` for each frame by itself. A scale is twelve
# zeros and ones, from C upwards:

# %%
d_major = pitch_class_vector([2, 4, 6, 7, 9, 11, 1])
d_major

# %% [markdown]
# Windows carry the condition of their piece beside the frames. With `pitch_classes=True` it is turned along when a
# window is transposed: what is learned in D major then holds in E flat.


# %%
def windows_of(rolls, told=True):
    return SlidingWindows(
        rolls,
        input_frames=2,  # the two beats of silence between groups of chords: nothing to tell the scale by
        target_frames=16,
        hop=2,
        augmentation=Augmentation(semitones=(-6, 5)),
        conditions=[pitch_class_vector(pitch_class_set(roll)) for roll in rolls] if told else None,
        pitch_classes=told,
    )


train, valid = windows_of(split.train), windows_of(split.valid)
len(train), train.condition_size

# %% [markdown]
# ## A model that listens
#
# `condition_size` makes room for it. With `condition_dropout=0.2` one window in five is told nothing, so that the
# model can also play without being told, and so that the difference can be exaggerated (below).

# %%
torch.manual_seed(0)
model = Seq2SeqLSTM(
    len(pitches),
    hidden=96,
    encoder_layers=1,
    decoder_layers=1,
    condition_size=train.condition_size,
    condition_dropout=0.2,
)
history = fit(
    model,
    train,
    valid,
    epochs=6,
    batch_size=32,
    optimizer=torch.optim.Adam(model.parameters(), lr=0.005),
    progress=False,
)
[round(loss, 2) for loss in history.valid_losses]

# %% [markdown]
# Does it listen? The same model, on scales that it has never heard, told and not told:

# %%
for told in (True, False):
    nats = evaluate(model, windows_of(split.test, told)).model.all.nats
    print("told the scale  " if told else "told nothing    ", f"{nats:.2f} nats per frame")

# %% [markdown]
# ## Play in D major
#
# From two beats of silence there is no key to go on in, but the one it is told:

# %%
silence = PianoRoll.silent(2, grid=grid, pitches=pitches)
primers = [silence] * 32


def share_in_d_major(rolls):
    played = np.concatenate([roll.notes()[2] for roll in rolls]) + pitches.lowest
    return d_major[played % 12].mean()


told = generate(model, primers, frames=32, seed=0, condition=d_major)
print(f"told nothing: {share_in_d_major(generate(model, primers, frames=32, seed=0)):.0%} of the notes in D major")
print(f"told D major: {share_in_d_major(told):.0%}")

# %% [markdown]
# ## Louder, please
#
# `GuidedModel` asks the model twice, told and not told, and goes on beyond the difference between the two answers
# (classifier-free guidance: Ho and Salimans, 2022):

# %%
from pianoroll_seq2seq import GuidedModel
from pianoroll_seq2seq.plot import plot_roll

guided = generate(GuidedModel(model, 0.5), primers, frames=32, seed=0, condition=d_major)
print(f"with guidance: {share_in_d_major(guided):.0%}")
ax = plot_roll(guided[0])

# %% [markdown]
# `python examples/condition_on_scale.py` trains this model for two minutes and plays in any scale that you name. A
# label instead of a scale is one line: `one_hot(["bach", "haydn"], classes=["bach", "haydn", "mozart"])`.
