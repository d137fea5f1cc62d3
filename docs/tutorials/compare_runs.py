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
# # Compare runs
#
# Which setting is better? Train both and compare three things: the loss curves, the scores on held-out music,
# and the music. This tutorial compares two sizes of a model and two learning rates.

# %%
from itertools import product
from pathlib import Path

import torch

from pianoroll_seq2seq import (
    BeatGrid,
    History,
    JsonlTracker,
    PianoRoll,
    PitchRange,
    Seq2SeqLSTM,
    SlidingWindows,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    open_model,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.data.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
rolls = [PianoRoll.from_score(score, grid=BeatGrid(1), pitches=PitchRange(42, 90)) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.15, test=0.15, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=12, target_frames=12, hop=6) for part in split)

# %% [markdown]
# ## Four runs, each in a folder of its own
#
# A tracker records the parameters and the metrics of a run. This one writes lines of JSON. `MLflowTracker` and
# `AzureMLTracker` have the same methods, and `FanOut` passes the calls to several trackers.

# %%
for hidden_size, rate in product((32, 96), (0.001, 0.005)):
    folder = Path(f"runs/hidden-{hidden_size} rate-{rate}")
    torch.manual_seed(0)
    model = Seq2SeqLSTM(train.layout, hidden_size=hidden_size, num_encoder_layers=1, num_decoder_layers=1)
    with JsonlTracker(folder / "metrics.jsonl") as tracker:
        tracker.log_params({"hidden_size": hidden_size, "rate": rate})
        fit(
            model,
            train,
            valid,
            epochs=5,
            batch_size=32,
            optimizer=torch.optim.Adam(model.parameters(), lr=rate),
            checkpoint_dir=folder,
            tracker=tracker,
            progress=False,
        )
sorted(path.name for path in folder.iterdir())

# %% [markdown]
# ## Curves
#
# `history.jsonl` has the losses of a run, also while the run is still training.

# %%
from pianoroll_seq2seq.display.plot import plot_histories

runs = sorted(Path("runs").iterdir())
histories = {run.name: History.load(run / "history.jsonl") for run in runs}
ax = plot_histories(histories)

# %% [markdown]
# ## Scores
#
# Choose by validation, then look at the test pieces once. `open_model` opens the best epoch of a run, the one with
# the lowest validation loss.

# %%
models = {run.name: open_model(run).model for run in runs}
print(f"{'':24}{'epoch':>6}{'valid':>8}{'test':>8}{'F1, changed':>13}")
for name, model in models.items():
    best, scores = histories[name].best_epoch, evaluate(model, test).model
    valid_nats = histories[name].valid_losses[best - 1]
    print(f"{name:24}{best:6}{valid_nats:8.2f}{scores.all.nats:8.2f}{scores.changed.f1:13.2f}")

# %% [markdown]
# One seed is not enough: before you believe a small difference, repeat it with three.
#
# ## Music
#
# A model can score well and generate bad music, so compare its music with the pieces. `compare_sets` compares
# the distributions of simple figures. An overlap of 1 means that the two sets do not differ in that figure.

# %%
from pianoroll_seq2seq import compare_sets

chosen = min(models, key=lambda name: min(histories[name].valid_losses))
data = [piece[start : start + 24] for piece in split.valid for start in range(12, len(piece) - 24, 24)]
primers = [piece[:12] for piece in split.valid] * 2
generated = generate(models[chosen], primers, num_frames=24, seed=0)
print(chosen)
print(compare_sets(generated, data))

# %% [markdown]
# Runs of the command line are compared by one command: `pianoroll-seq2seq compare runs/* --page comparison.html` writes
# [a page](../listen.md#a-page-of-several-runs) with all of this, and plays their music side by side.
#
# `python examples/compare_epochs.py` does this for runs of 10, 50 and 100 epochs and writes a picture and a table.
# `examples/sweep.py` searches settings with Optuna.
