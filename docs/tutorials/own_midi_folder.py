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
# # Your own MIDI folder
#
# Real MIDI files are untidy. This tutorial goes from a folder of such files to a model. So that the page can
# be built anywhere, it first makes a folder with the usual faults; use the path of yours instead.

# %%
import random
from pathlib import Path

from pianoroll_seq2seq import NoteTable, Part, Score, TempoMap, write_midi

folder, ticks = Path("my_midi"), 480  # ticks per beat
major = [12 * octave + step for octave in range(4) for step in (0, 2, 4, 5, 7, 9, 11)]
chance = random.Random(0)
for number in range(24):
    key, degree, now = chance.choice([0, 2, 4, 5, 7]), 14, 0
    notes = []  # onset and end in ticks, pitch, velocity, part
    for _bar in range(16):
        notes.append((now, now + 4 * ticks, 36 + key + chance.choice([0, 5, 7]), 70, 1))
        for length in (ticks, ticks // 2, ticks // 2, ticks, ticks):
            degree = min(max(degree + chance.choice([-2, -1, -1, 1, 1, 2]), 11), 21)
            notes.append((now, now + length, 36 + key + major[degree], 90, 0))
            now += length
    song = Score(
        NoteTable(*zip(*notes, strict=True)), TempoMap(ticks, [(0, 480_000)]), (Part("MELODY"), Part("BASS", 32))
    )
    write_midi(song, folder / f"song_{number:02}.mid")
(folder / "copy_of_song_03.mid").write_bytes((folder / "song_03.mid").read_bytes())
(folder / "cut_short.mid").write_bytes((folder / "song_05.mid").read_bytes()[:400])
(folder / "notes.mid").write_text("this is no MIDI file")
print(len(list(folder.iterdir())), "files")

# %% [markdown]
# ## A first look
#
# One file, without a grid: its parts, its tempo, its notes in ticks.

# %%
from pianoroll_seq2seq import read_midi

score = read_midi(folder / "song_00.mid")
print([part.name for part in score.parts], len(score.notes), "notes")
print("pitches", score.notes.pitch.min(), "to", score.notes.pitch.max())
print("seconds", float(score.tempo.seconds(score.notes.end_tick.max())))

# %% [markdown]
# ## All files
#
# A file that cannot be read does not stop the others. `failures` has the reason for each, by its path:

# %%
from pianoroll_seq2seq import BeatGrid, PitchRange, read_folder

grid, pitches = BeatGrid(frames_per_beat=2), PitchRange(36, 96)
rolls, failures = read_folder(folder, grid=grid, pitches=pitches)
print("\n".join(failures.values()))

# %% [markdown]
# A damaged file may still have complete notes. `on_damage="salvage"` keeps them, if you want to:

# %%
rolls, failures = read_folder(folder, grid=grid, pitches=pitches, on_damage="salvage")
len(rolls), list(failures)

# %% [markdown]
# Which grid? `BeatGrid` follows the beats of the music, and is right if the tempi in the file are: two frames per
# beat are eighths, four are sixteenths. `SecondsGrid(0.02)` follows the clock, and is right for recorded
# performances. Too coarse a grid moves notes, so count how many onsets are on a grid line:

# %%
onsets = score.notes.onset_tick
for frames_per_beat in (1, 2, 4):
    candidate = BeatGrid(frames_per_beat)
    nearest = candidate.ticks_at(candidate.lines_at(onsets, score.tempo), score.tempo)
    print(f"{frames_per_beat} frames a beat: {(nearest == onsets).mean():.0%} of the onsets are on a line")

# %% [markdown]
# ## One part, or all
#
# By default everything but drums goes into one roll. A name, index, program or channel selects a single part.
# The [page on MIDI](../midi.md) lists all options.

# %%
from pianoroll_seq2seq import PianoRoll
from pianoroll_seq2seq.display.plot import plot_roll

bass = PianoRoll.from_midi(folder / "song_00.mid", grid=grid, pitches=pitches, track="BASS")
ax = plot_roll(PianoRoll.from_midi(folder / "song_00.mid", grid=grid, pitches=pitches)[:64])

# %% [markdown]
# ## Duplicates and splits
#
# Collections have many duplicates, and a duplicate on the other side of a split is a leak.

# %%
from pianoroll_seq2seq import drop_duplicates, split_by_piece

rolls, duplicates = drop_duplicates(rolls)
split = split_by_piece(rolls, valid=0.15, test=0.15, seed=0)
print(duplicates, [len(part) for part in split])

# %% [markdown]
# ## In every key
#
# With few files, transpose them: each window is transposed at random whenever it is fetched. The pitch range must
# have room for it, so it is half an octave wider on both sides than the pieces need.

# %%
import numpy as np

from pianoroll_seq2seq import Augmentation, SlidingWindows

used = np.flatnonzero(np.any([roll.active.any(axis=0) for roll in rolls], axis=0)) + pitches.lowest
wide = PitchRange(int(used.min()) - 6, int(used.max()) + 6)
rolls = read_folder(folder, grid=grid, pitches=wide, on_damage="salvage").rolls
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.15, test=0.15, seed=0)
train = SlidingWindows(
    split.train, input_frames=16, target_frames=16, hop=4, short="skip", augmentation=Augmentation(semitones=(-6, 5))
)
valid = SlidingWindows(split.valid, input_frames=16, target_frames=16, hop=4, short="skip")
len(train), wide

# %% [markdown]
# `short="skip"` leaves out pieces that are shorter than a window, here the rest of the damaged one.
#
# ## Train, and listen

# %%
import torch

from pianoroll_seq2seq import Draw, Seq2SeqLSTM, evaluate, fit, generate

torch.set_num_threads(1)
torch.manual_seed(0)
model = Seq2SeqLSTM(train.layout, hidden_size=64, num_encoder_layers=1, num_decoder_layers=1, dropout=0.1)
fit(
    model,
    train,
    valid,
    epochs=12,
    batch_size=32,
    optimizer=torch.optim.Adam(model.parameters(), lr=0.005),
    checkpoint_dir="runs/mine",
    progress=False,
)
print(evaluate(model, valid))

# %%
primer = split.valid[0][:16]
song = primer + generate(model, primer, num_frames=48, sampler=Draw(temperature=0.8), seed=0)
song.to_midi("mine.mid")
ax = plot_roll(song, primer_frames=16)

# %% [markdown]
# The tunes of this folder are random walks in a scale, over a bass that changes with the bar: there is not more to
# learn. Your files have more.
#
# Too many files for memory? See [a large corpus](large_corpus).
