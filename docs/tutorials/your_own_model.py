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
# Any module with `forward`, `start` and `advance` can be trained, scored and used for generation with the same
# functions as the built-in models. This one is a GRU that reads a piece frame by frame.

# %%
import torch
from torch import nn

from pianoroll_seq2seq import Bernoulli


class FrameGRU(nn.Module):
    def __init__(self, layout, hidden_size):
        super().__init__()
        self.layout, self.hidden_size = layout, hidden_size
        self.gru = nn.GRU(layout.frame_size, hidden_size, batch_first=True)
        self.logits = nn.Linear(hidden_size, layout.frame_size)

    def forward(self, inputs, targets):  # teacher-forced: (batch, frames, frame_size) each
        past = torch.cat([inputs, targets[:, :-1]], dim=1)
        features, _ = self.gru(past)
        return Bernoulli(self.logits(features[:, inputs.shape[1] - 1 :]))

    def start(self, primer):  # the distribution of the frame after the primer, and a state
        features, state = self.gru(primer)
        return Bernoulli(self.logits(features[:, -1])), state

    def advance(self, frame, state):  # one frame later: the next distribution, and the next state
        features, state = self.gru(frame.unsqueeze(1), state)
        return Bernoulli(self.logits(features[:, -1])), state

    def settings(self):  # only needed to open it again
        return {"layout": self.layout, "hidden_size": self.hidden_size}


# %% [markdown]
# `forward` is for training: the model reads the true frame before every frame that it predicts. This is *teacher
# forcing*; all frames of a window are computed at once. `start` and `advance` are for generation, in which each frame
# must be sampled before the next can be predicted. Both must give the same distributions, which is easy to check. A
# layout says what the columns of a frame mean; windows have one too.

# %%
from pianoroll_seq2seq import FrameLayout, PitchRange

layout = FrameLayout(pitches=PitchRange(36, 96))
model = FrameGRU(layout, hidden_size=64).eval()
frames = (torch.rand(2, 12, layout.frame_size) < 0.05).float()
together = model(frames[:, :8], frames[:, 8:]).mean
distribution, state = model.start(frames[:, :8])
one_by_one = [distribution.mean]
for step in range(8, 11):
    distribution, state = model.advance(frames[:, step], state)
    one_by_one.append(distribution.mean)
torch.testing.assert_close(together, torch.stack(one_by_one, dim=1))

# %% [markdown]
# ## Train
#
# `fit` minimizes `-distribution.log_prob(targets).mean()` and needs nothing else from the model. Checkpoints, early
# stopping, trackers and several processes work too.

# %%
from pianoroll_seq2seq import (
    BeatGrid,
    PianoRoll,
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
torch.manual_seed(0)
rolls = [PianoRoll.from_score(s, grid=BeatGrid(2), pitches=PitchRange(36, 96)) for s in scale_chords().values()]
split = split_by_piece(drop_duplicates(rolls).rolls, valid=0.1, test=0.1, seed=0, group=pitch_class_set)
train, valid, test = (SlidingWindows(part, input_frames=16, target_frames=16, hop=8) for part in split)
model = FrameGRU(train.layout, hidden_size=128)
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
# ## Generate

# %%
from pianoroll_seq2seq.display.plot import plot_roll

primer = split.test[0][:16]
song = primer + generate(model, primer, num_frames=64, seed=0)
ax = plot_roll(song, primer_frames=16)

# %% [markdown]
# ## Open it again
#
# A checkpoint contains no code, so pass the class when you open it:

# %%
trained = open_model("runs/gru", classes=[FrameGRU])
trained.generate(primer, num_frames=64, seed=0) == song[16:]

# %% [markdown]
# A model can take any head too: take one in the constructor, and call `head(features, past)`. The built-in
# models show how, in `src/pianoroll_seq2seq/models/seq2seq_lstm.py`. To add yours to the library: [how to add
# something](../extending.md).
