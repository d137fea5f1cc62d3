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
# # Your own model in twenty lines
#
# Anything with `forward`, `start` and `advance` trains, is scored and generates with the same functions as the
# built-in models. This one is a GRU that goes over a piece frame by frame.

# %%
import torch
from torch import nn

from pianoroll_seq2seq import Bernoulli


class FrameGRU(nn.Module):
    def __init__(self, pitches, hidden):
        super().__init__()
        self.pitches, self.hidden = pitches, hidden
        self.gru = nn.GRU(pitches, hidden, batch_first=True)
        self.logits = nn.Linear(hidden, pitches)

    def forward(self, inputs, targets):  # teacher-forced: (batch, frames, pitches) each
        heard = torch.cat([inputs, targets[:, :-1]], dim=1)
        features, _ = self.gru(heard)
        return Bernoulli(self.logits(features[:, inputs.shape[1] - 1 :]))

    def start(self, primer):  # the distribution of the frame after the primer, and a state
        features, state = self.gru(primer)
        return Bernoulli(self.logits(features[:, -1])), state

    def advance(self, frame, state):  # one frame later: the next distribution, and the next state
        features, state = self.gru(frame.unsqueeze(1), state)
        return Bernoulli(self.logits(features[:, -1])), state

    def settings(self):  # only needed to load it again by itself
        return {"pitches": self.pitches, "hidden": self.hidden}


# %% [markdown]
# `forward` is for training: the model is told what really came before every frame it predicts, whatever it would have
# played itself. That is *teacher forcing*; all frames of a window are computed at once. `start` and `advance` are for
# playing, where each frame must be drawn before the next can be predicted. Both must say the same, which is easy to
# check:

# %%
model = FrameGRU(pitches=61, hidden=64).eval()
frames = (torch.rand(2, 12, 61) < 0.05).float()
together = model(frames[:, :8], frames[:, 8:]).mean
distribution, state = model.start(frames[:, :8])
one_by_one = [distribution.mean]
for step in range(8, 11):
    distribution, state = model.advance(frames[:, step], state)
    one_by_one.append(distribution.mean)
torch.testing.assert_close(together, torch.stack(one_by_one, dim=1))

# %% [markdown]
# ## It trains
#
# `fit` minimises `-distribution.log_prob(targets).mean()`, so it asks nothing else of the model. Checkpoints, early
# stopping, trackers and several processes come with it.

# %%
from pianoroll_seq2seq import (
    PianoRoll,
    PitchRange,
    SlidingWindows,
    drop_duplicates,
    evaluate,
    fit,
    generate,
    pitch_class_set,
    split_by_piece,
)
from pianoroll_seq2seq.datasets.scale_chords import scale_chords
from pianoroll_seq2seq.grid import BeatGrid

torch.set_num_threads(1)
torch.manual_seed(0)
rolls = [PianoRoll.from_score(s, grid=BeatGrid(2), pitches=PitchRange(36, 96)) for s in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=16, target_frames=16, hop=8) for part in split)
model = FrameGRU(pitches=61, hidden=128)
history = fit(
    model,
    train,
    valid,
    epochs=6,
    batch_size=32,
    optimizer=torch.optim.Adam(model.parameters(), lr=0.004),
    checkpoint_dir="runs/gru",
    progress=False,
)
ax = history.plot()

# %%
print(evaluate(model, test))

# %% [markdown]
# ## It plays

# %%
from pianoroll_seq2seq.plot import plot_roll

primer = split.test[0][:16]
song = primer + generate(model, primer, frames=64, seed=0)
ax = plot_roll(song, primer_frames=16)

# %% [markdown]
# ## It comes back
#
# No code is in a checkpoint, so loading is told the class:

# %%
from pianoroll_seq2seq import load

again = load("runs/gru/best.safetensors", classes=[FrameGRU])
generate(again, primer, frames=64, seed=0) == song[16:]

# %% [markdown]
# A model may take any head, too: give it one in its constructor, and call `head(features, past)`. How the built-in
# ones do it stands in `src/pianoroll_seq2seq/models/seq2seq_lstm.py`; how to put yours beside them, in [how to add
# something](../extending.md).
