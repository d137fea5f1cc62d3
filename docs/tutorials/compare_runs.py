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
# Which setting is better? Train both, and look at three things: the curves, the scores on music that was held out,
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
    load,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.scale_chords import scale_chords

torch.set_num_threads(1)
rolls = [PianoRoll.from_score(score, grid=BeatGrid(1), pitches=PitchRange(42, 90)) for score in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.15, test=0.15, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=12, target_frames=12, hop=6) for part in split)

# %% [markdown]
# ## Four runs, each in a folder of its own
#
# A tracker writes down what a run was given and what came of it. This one writes lines of JSON; `MLflowTracker` and
# `AzureMLTracker` take the same calls, and `FanOut` passes them on to several.

# %%
for hidden, rate in product((32, 96), (0.001, 0.005)):
    folder = Path(f"runs/hidden-{hidden} rate-{rate}")
    torch.manual_seed(0)
    model = Seq2SeqLSTM(train.frame_size, hidden=hidden, encoder_layers=1, decoder_layers=1)
    with JsonlTracker(folder / "metrics.jsonl") as tracker:
        tracker.log_params({"hidden": hidden, "rate": rate})
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
# `history.jsonl` holds the losses of a run, also of one that is still going on.

# %%
from pianoroll_seq2seq.plot import plot_histories

runs = sorted(Path("runs").iterdir())
histories = {run.name: History.load(run / "history.jsonl") for run in runs}
ax = plot_histories(histories)

# %% [markdown]
# ## Scores
#
# Choose by validation, then look at the test pieces once. `best.safetensors` is the model of the epoch with the
# lowest validation loss.

# %%
models = {run.name: load(run / "best.safetensors") for run in runs}
print(f"{'':24}{'epoch':>6}{'valid':>8}{'test':>8}{'F1, changed':>13}")
for name, model in models.items():
    best, scores = histories[name].best_epoch, evaluate(model, test).model
    valid_nats = histories[name].valid_losses[best - 1]
    print(f"{name:24}{best:6}{valid_nats:8.2f}{scores.all.nats:8.2f}{scores.changed.f1:13.2f}")

# %% [markdown]
# One seed is an anecdote: before you believe a small difference, repeat it with three.
#
# ## Music
#
# A model can score well and play badly, so hold what it plays beside what the pieces play. `compare_sets` compares
# the distributions of simple figures; an overlap of 1 means that they cannot be told apart by that figure.

# %%
from pianoroll_seq2seq import compare_sets

chosen = min(models, key=lambda name: min(histories[name].valid_losses))
data = [piece[start : start + 24] for piece in split.valid for start in range(12, len(piece) - 24, 24)]
primers = [piece[:12] for piece in split.valid] * 2
played = generate(models[chosen], primers, frames=24, seed=0)
print(chosen)
print(compare_sets(played, data))

# %% [markdown]
# `python examples/compare_epochs.py` does this for runs of 10, 50 and 100 epochs and writes a picture and a table;
# `examples/sweep.py` searches settings with Optuna.
