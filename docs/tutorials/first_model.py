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
# From a folder of MIDI files to a model, its scores and its music, with a word on each step. It takes half a minute.

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
    load,
    pitch_class_set,
    read_folder,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.scale_chords import write_scale_chords
from pianoroll_seq2seq.plot import plot_roll

torch.set_num_threads(1)  # quickest for small models

# %% [markdown]
# ## One piece
#
# A grid says where the frames lie: two to a beat are eighth notes. A pitch range says which columns there are. What
# lies outside is an error, so that no note is lost unseen.

# %%
folder = write_scale_chords("midi")
grid, pitches = BeatGrid(frames_per_beat=2), PitchRange(36, 96)
roll = PianoRoll.from_midi(folder / "scale_c_major.mid", grid=grid, pitches=pitches)
ax = plot_roll(roll[:64])

# %% [markdown]
# Two planes of equal shape hold all of it: what sounds, and what is struck. Rows are frames, columns are pitches from
# low to high.

# %%
roll.active.shape, int(roll.active.sum()), int(roll.onset.sum())

# %% [markdown]
# ## All pieces, dealt out
#
# Copies go first, then *whole pieces* are dealt to the three parts. `group` keeps together what sounds alike: C major
# and A minor have the same tones.

# %%
rolls, failures = read_folder(folder, grid=grid, pitches=pitches)
rolls, copies = drop_duplicates(rolls)
split = split_by_piece(rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
print(f"{len(failures)} files were unusable, {len(copies)} were copies; the split: {[len(part) for part in split]}")

# %% [markdown]
# ## Windows
#
# A model hears 16 frames and must go on for 16. Windows begin every 16 frames, and are cut when a batch is asked for.

# %%
train, valid, test = (SlidingWindows(part, input_frames=16, target_frames=16, hop=16) for part in split)
inputs, targets = train[0]
len(train), inputs.shape, targets.shape

# %% [markdown]
# ## Training
#
# The head is what turns the decoder's memory into a probability for each pitch. This one looks at every pitch through
# the same small network, so that what it learns in one key holds in all.

# %%
torch.manual_seed(0)  # the weights to begin with
model = Seq2SeqLSTM(len(pitches), hidden=48, head=RelativeBernoulliHead(48, len(pitches)), block_frames=16)
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
# Music mostly goes on as it was, so copying the last frame looks clever. The columns on the right count only the
# frames where something changes.

# %%
print(evaluate(model, test))

# %% [markdown]
# ## Music
#
# The primer is the beginning of a piece that was held out. Each frame is drawn from what the model finds likely, and
# is fed back to it.

# %%
primer = split.test[0][:16]
song = primer + generate(model, primer, frames=64, sampler=Draw(temperature=0.8), seed=1)
song.to_midi("song.mid")
ax = plot_roll(song, primer_frames=16)

# %% [markdown]
# ## And tomorrow
#
# `runs/first` holds the run. `fit` with the same arguments goes on with it, and `load` gives the best model back:

# %%
again = load("runs/first/best.safetensors")
generate(again, primer, frames=64, sampler=Draw(temperature=0.8), seed=1) == song[16:]

# %% [markdown]
# Next: the same with [your own MIDI files](own_midi_folder), or [another head](swap_the_head).
