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
# A condition is an additional input of a model: a composer, a chord, the position in the bar. Here the condition
# is a scale, and the model then generates music in any scale that you pass.

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
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
grid, pitches = BeatGrid(1), PitchRange(42, 92)  # room for half an octave of transposition
rolls = [PianoRoll.from_score(score, grid=grid, pitches=pitches) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)

# %% [markdown]
# ## The condition
#
# A condition is an array: `(size,)` for a whole piece, or `(frames, size)` with a row for each frame. A scale is
# twelve zeros and ones, from C upwards:

# %%
d_major = pitch_class_vector([2, 4, 6, 7, 9, 11, 1])
d_major

# %% [markdown]
# Windows carry the condition of their piece beside the frames. With `pitch_classes=True` it is transposed together
# with the window: what the model learns in D major then holds in E flat.


# %%
def windows_of(rolls, conditional=True):
    return SlidingWindows(
        rolls,
        input_frames=2,  # the two beats of silence between groups of chords, which do not show the scale
        target_frames=16,
        hop=2,
        augmentation=Augmentation(semitones=(-6, 5)),
        conditions=[pitch_class_vector(pitch_class_set(roll)) for roll in rolls] if conditional else None,
        pitch_classes=conditional,
    )


train, valid = windows_of(split.train), windows_of(split.valid)
len(train), train.condition_size

# %% [markdown]
# ## A conditional model
#
# `condition_size` adds the input. With `condition_dropout=0.2` one window in five has no condition in training, so
# that the model also works without one, and so that the effect of the condition can be strengthened (below).

# %%
torch.manual_seed(0)
model = Seq2SeqLSTM(
    train.layout,
    hidden_size=96,
    num_encoder_layers=1,
    num_decoder_layers=1,
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
# Does the condition help? The same model on scales that it was not trained on, with and without the condition:

# %%
for conditional in (True, False):
    nats = evaluate(model, windows_of(split.test, conditional)).model.all.nats
    print("with the scale   " if conditional else "without          ", f"{nats:.2f} nats per frame")

# %% [markdown]
# ## Generate in D major
#
# The primer is two beats of silence, so only the condition determines the key:

# %%
silence = PianoRoll.silent(2, grid=grid, pitches=pitches)
primers = [silence] * 32


def share_in_d_major(rolls):
    pitch = np.concatenate([roll.notes().pitch for roll in rolls])
    return d_major[pitch % 12].mean()


without = generate(model, primers, num_frames=32, seed=0)
conditioned = generate(model, primers, num_frames=32, seed=0, condition=d_major)
print(f"without a condition: {share_in_d_major(without):.0%} of the notes in D major")
print(f"with D major: {share_in_d_major(conditioned):.0%}")

# %% [markdown]
# ## Guidance
#
# `GuidedModel` runs the model twice, with and without the condition, and extrapolates the difference
# (classifier-free guidance: Ho and Salimans, 2022):

# %%
from pianoroll_seq2seq import GuidedModel
from pianoroll_seq2seq.display.plot import plot_roll

guided = generate(GuidedModel(model, 0.5), primers, num_frames=32, seed=0, condition=d_major)
print(f"with guidance: {share_in_d_major(guided):.0%}")
ax = plot_roll(guided[0])

# %% [markdown]
# `python examples/condition_on_scale.py` trains this model for two minutes and generates in any scale that you name.
# A label instead of a scale is one line: `one_hot(["bach", "haydn"], classes=["bach", "haydn", "mozart"])`.
