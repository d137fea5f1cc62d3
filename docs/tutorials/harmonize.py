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
# # A melody in, four voices out
#
# The model `bach-chorales`, which comes with the library, writes alto, tenor and bass to a melody of yours, in the
# style of Bach's chorales. Any MIDI or MusicXML file with one melody will do. Here it is the hymn "Ode to Joy", eight
# bars:

# %%
from pathlib import Path

from pianoroll_seq2seq import Meter, NoteTable, Score, TempoMap, TimeSignature, open_model, write_midi

lines = ["E E F G  G F E D  C C D E  E. D8 D2", "E E F G  G F E D  C C D E  D. C8 C2"]
pitch_of = {"C": 60, "D": 62, "E": 64, "F": 65, "G": 67}
beats_of = {"": 1, ".": 1.5, "8": 0.5, "2": 2}
rows, tick = [], 0
for note in " ".join(lines).split():
    end = tick + round(480 * beats_of[note[1:]])
    rows.append((tick, end, pitch_of[note[0]], 80, 0))
    tick = end
tempo = TempoMap.from_bpm(88, ticks_per_beat=480)
score = Score(NoteTable(*zip(*rows, strict=True)), tempo, meter=Meter([TimeSignature(0, 4, 4)]))
write_midi(score, "melody.mid", overwrite=True)

# %% [markdown]
# ## With one command
#
# In a terminal it is `pianoroll-seq2seq fill melody.mid --harmonize --output chorale.mid chorale.wav
# chorale.musicxml`. The endings say what is written: MIDI, sound, and a score for notation programs. Here the same
# command is called from Python:

# %%
from pianoroll_seq2seq.cli.main import main

main(["fill", "melody.mid", "--harmonize", "--output", "chorale.mid", "chorale.wav", "chorale.musicxml", "--overwrite"])
[path.name for path in sorted(Path().glob("chorale.*"))]

# %% [markdown]
# ## From Python
#
# `harmonize` returns a roll with all voices. In a notebook it displays itself with a player:

# %%
trained = open_model("bach-chorales")
chorale = trained.harmonize("melody.mid", seed=1)
chorale

# %% [markdown]
# The melody is as it was, to the last cell:

# %%
from pianoroll_seq2seq.pretrained.pieces import read_melody

melody = read_melody("melody.mid", trained.layout).with_pitches(trained.parts[0].pitches)
chorale[trained.parts[0].name] == melody

# %% [markdown]
# Another seed is another setting, and a lower temperature a safer one:

# %%
from pianoroll_seq2seq import Draw

trained.harmonize("melody.mid", seed=2, sampler=Draw(temperature=0.8))

# %% [markdown]
# ## Another bar, another bass
#
# What you do not like is written anew, and the rest stays. Bars are numbered as in a score:

# %%
better = trained.infill(chorale, bars=(3, 4), seed=3)
better = trained.accompany(better, parts=trained.parts[-1].name, seed=4)
better

# %% [markdown]
# Melody, bars and parts are one idea: some cells are given, and the model writes the others. `Given` says which, and
# `fill` takes any of it. Here the outer voices are given outside the last two bars:

# %%
from pianoroll_seq2seq import Given

outer = Given.parts(trained.parts[0].name, trained.parts[-1].name) & Given.outside(bars=(7, 8))
trained.fill(better, outer, seed=5)

# %% [markdown]
# [Fill what is not given](../filling.md) has all the ways to say what is given, and what happens where new music meets
# the given one.
