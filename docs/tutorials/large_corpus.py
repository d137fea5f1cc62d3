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
# # A large corpus
#
# A roll in memory takes a byte per cell and plane, so a hundred thousand files do not fit. `build_corpus` packs them
# on disk as single bits, once, on all cores. Windows are then cut from the disk as they are needed. This page uses a
# few hundred files, so that it is built quickly.

# %%
from pianoroll_seq2seq.data.datasets.scale_chords import write_scale_chords

folder = write_scale_chords("midi/scales")
(folder / "broken.mid").write_bytes(b"MThd and no more")

# %% [markdown]
# ## Build
#
# By default one process per core does the work; `executor=` takes any other executor, such as Dask's. Metadata of a
# file is stored with it as its labels.

# %%
from pianoroll_seq2seq import BeatGrid, PitchRange, build_corpus

settings = {
    "grid": BeatGrid(2),
    "pitches": PitchRange(36, 96),
    "files_per_shard": 50,
    "progress": False,
    "labels": lambda path: {"mode": path.stem.split("_", 2)[2]} if path.stem.count("_") > 1 else {},
}
corpus = build_corpus("midi", "corpus", **settings)
len(corpus), list(corpus.failures)

# %% [markdown]
# The bad file is in `failures` with its reason, and did not stop the others. After an interruption, call it again
# with the same arguments: finished shards are kept. Called again now, it only opens the corpus.

# %%
corpus = build_corpus("midi", "corpus", **settings)
corpus[3].name, corpus.labels[3], corpus[3].active.shape

# %% [markdown]
# Other programs can read the files on disk without this library: they are plain NumPy arrays and JSON.

# %%
from pathlib import Path

import numpy as np

for path in sorted(Path("corpus").glob("*"))[:4]:
    print(f"{path.name:20}{path.stat().st_size:>9,} bytes")
shard = np.load("corpus/00000.npy", mmap_mode="r")
shard.shape, shard.dtype  # planes, frames, bytes of eight pitches each

# %% [markdown]
# ## Use
#
# A corpus is a sequence of rolls, so every function that takes rolls takes a corpus. `drop_duplicates` reads only its
# index.

# %%
from pianoroll_seq2seq import Augmentation, SlidingWindows, drop_duplicates, split_by_piece

corpus, duplicates = drop_duplicates(corpus)
split = split_by_piece(corpus, valid=0.1, test=0.1, seed=0)
train, valid, test = (
    SlidingWindows(
        part, input_frames=16, target_frames=16, hop=16, short="skip", augmentation=Augmentation(semitones=(-5, 6))
    )
    for part in split
)
type(split.train).__name__, len(train)

# %% [markdown]
# Windows are computed, not listed: they cost 46 bytes per *piece*, however many there are. A batch is read when it is
# needed.

# %%
import torch

from pianoroll_seq2seq import Seq2SeqLSTM, fit

torch.set_num_threads(1)
model = Seq2SeqLSTM(train.layout, hidden_size=32, num_encoder_layers=1, num_decoder_layers=1)
history = fit(model, train, valid, epochs=1, batch_size=64, progress=False)
print(f"{len(train)} windows in {history.epochs[0].seconds:.1f} s; {history.valid_losses[0]:.2f} nats per frame")

# %% [markdown]
# How long larger corpora take, on one machine and on a hundred, and what happens if a file kills its reader: [corpora
# beyond memory](../corpora.md).
