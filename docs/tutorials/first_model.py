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
# # A first model
#
# From a folder of MIDI files to a model, its scores and its music, with an explanation of each step. It takes half a
# minute.

# %%
import torch

from pianoroll_seq2seq import (
    BeatGrid,
    Draw,
    PianoRoll,
    PitchRange,
    RelativeBernoulliHead,
    Seq2SeqLSTM,
    SlidingWindows,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    open_model,
    pitch_class_set,
    read_folder,
    split_by_piece,
)
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.display.plot import plot_roll

torch.set_num_threads(1)  # quickest for small models

# %% [markdown]
# ## One piece
#
# A grid says where the frames are: two per beat are eighth notes. A pitch range says which columns there are. A note
# outside it is an error, so that no note is lost silently.

# %%
folder = write_scale_chords("midi")
grid, pitches = BeatGrid(frames_per_beat=2), PitchRange(36, 96)
roll = PianoRoll.from_midi(folder / "scale_c_major.mid", grid=grid, pitches=pitches)
ax = plot_roll(roll[:64])

# %% [markdown]
# A roll has two planes of equal shape: `active` says which pitches sound, and `onset` where notes begin. Rows are
# frames, columns are pitches from low to high.

# %%
roll.active.shape, int(roll.active.sum()), int(roll.onset.sum())

# %% [markdown]
# ## Training, validation and test pieces
#
# Duplicates are removed, then *whole pieces* are divided into three parts. `group` keeps similar pieces together: C
# major and A minor have the same pitch classes.

# %%
rolls, failures = read_folder(folder, grid=grid, pitches=pitches)
rolls, duplicates = drop_duplicates(rolls)
split = split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
print(f"{len(failures)} unreadable files, {len(duplicates)} duplicates, split into {[len(part) for part in split]}")

# %% [markdown]
# ## Windows
#
# The model reads 16 frames and predicts the next 16. A window begins every 16 frames, and is cut when a batch needs
# it.

# %%
train, valid, test = (SlidingWindows(part, input_frames=16, target_frames=16, hop=16) for part in split)
inputs, targets = train[0]
len(train), inputs.shape, targets.shape

# %% [markdown]
# ## Training
#
# The head turns the decoder's output into a probability for each pitch. This one uses the same small network for
# every pitch, so that what it learns in one key holds in all. The model is built from the layout of the windows.

# %%
torch.manual_seed(0)  # for the initial weights
model = Seq2SeqLSTM(train.layout, hidden_size=48, head=RelativeBernoulliHead, block_frames=16)
history = fit(
    model,
    train,
    valid,
    epochs=3,
    batch_size=32,
    optimizer=torch.optim.Adam(model.parameters(), lr=0.003),
    checkpoint_dir="runs/first",
    seed=0,
    progress=False,
)
ax = history.plot()

# %% [markdown]
# ## Scores
#
# In most frames of music nothing changes, so copying the last frame scores well. The columns on the right count only
# the frames that differ from the one before.

# %%
print(evaluate(model, test))

# %% [markdown]
# ## Music
#
# The primer is the beginning of a held-out piece. Each frame is sampled from the model's distribution and
# fed back to the model.

# %%
primer = split.test[0][:16]
song = primer + generate(model, primer, num_frames=64, sampler=Draw(temperature=0.8), seed=1)
song.to_midi("song.mid")
ax = plot_roll(song, primer_frames=16)

# %% [markdown]
# ## Later
#
# `runs/first` has the run. `fit` with the same arguments resumes it, and `open_model` opens the best model:

# %%
trained = open_model("runs/first")
trained.generate(primer, num_frames=64, sampler=Draw(temperature=0.8), seed=1) == song[16:]

# %% [markdown]
# Next: the same with [your own MIDI files](own_midi_folder), or [another head](swap_the_head).
