"""The Keras contender of train.py, which starts it in an environment that has TensorFlow; without this library.

    python benchmarks/keras_worker.py --data FILE --model 2017 --epochs 3

The model of the 2017 article as one writes it in Keras, or the large one; ``fit`` with validation after every epoch.
An item is a training window; its seconds are those of a whole epoch, with validation. The first epoch warms up.
"""

import os

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import argparse
import json
import resource
import time
from importlib.metadata import version
from typing import Any

import keras
import numpy as np
from keras import layers

FRAMES, DROPOUT = 50, 0.3


def model_of_2017(pitches: int, hidden: int) -> Any:
    """All frames at once, from the input's last output."""
    return keras.Sequential(
        [
            keras.Input((FRAMES, pitches)),
            layers.LSTM(hidden, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.LSTM(hidden),
            layers.Dropout(DROPOUT),
            layers.BatchNormalization(),
            layers.RepeatVector(FRAMES),
            layers.LSTM(hidden, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.LSTM(hidden, return_sequences=True),
            layers.Dropout(DROPOUT),
            layers.BatchNormalization(),
            layers.TimeDistributed(layers.Dense(pitches, activation="sigmoid")),
        ]
    )


def teacher_forced(pitches: int, hidden: int) -> Any:
    """Every frame from those before it; each layer of the decoder begins with the memory of its fellow."""
    context, before = keras.Input((FRAMES, pitches)), keras.Input((FRAMES, pitches))
    outputs, *first = layers.LSTM(hidden, return_sequences=True, return_state=True)(context)
    _, *second = layers.LSTM(hidden, return_state=True)(layers.Dropout(DROPOUT)(outputs))
    outputs = layers.LSTM(hidden, return_sequences=True)(before, initial_state=first)
    outputs = layers.LSTM(hidden, return_sequences=True)(layers.Dropout(DROPOUT)(outputs), initial_state=second)
    frames = layers.TimeDistributed(layers.Dense(pitches, activation="sigmoid"))(layers.Dropout(DROPOUT)(outputs))
    return keras.Model([context, before], frames)


def windows(data: Any, part: str) -> Any:
    """All windows of some pieces, input and target one after the other, as float32."""
    found = []
    for piece in np.split(data[f"{part}_frames"], np.cumsum(data[f"{part}_lengths"])[:-1]):
        found += [piece[start : start + 2 * FRAMES] for start in range(0, len(piece) - 2 * FRAMES + 1, FRAMES)]
    return np.stack(found).astype(np.float32)


class Clock(keras.callbacks.Callback):  # type: ignore[misc]
    """When each epoch ended, with its validation."""

    def __init__(self) -> None:
        """No epoch has ended yet."""
        super().__init__()
        self.marks = [time.perf_counter()]

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        """Reads the clock."""
        self.marks.append(time.perf_counter())


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--model", choices=("2017", "2x512"), default="2017")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    keras.utils.set_random_seed(given.seed)
    with np.load(given.data) as data:
        train, valid = windows(data, "train"), windows(data, "valid")
    pitches, parallel = train.shape[2], given.model == "2017"
    model = model_of_2017(pitches, 64) if parallel else teacher_forced(pitches, 512)
    model.compile(optimizer=keras.optimizers.Adam(1e-3), loss="binary_crossentropy")
    (context, frames), (valid_context, valid_frames) = (
        (part[:, :FRAMES] if parallel else [part[:, :FRAMES], part[:, FRAMES - 1 : -1]], part[:, FRAMES:])
        for part in (train, valid)
    )
    clock, on_cpu = Clock(), time.process_time()
    history = model.fit(
        context,
        frames,
        validation_data=(valid_context, valid_frames),
        epochs=given.epochs,
        batch_size=given.batch_size,
        callbacks=[clock],
        verbose=0,
    )
    share = (time.process_time() - on_cpu) / (clock.marks[-1] - clock.marks[0])
    seconds = (np.diff(clock.marks) / len(train)).tolist()
    facts = {
        "valid_losses": " ".join(f"{loss * pitches:.5f}" for loss in history.history["val_loss"]),
        "cpu_share": share,
        "mem_max_rss": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "keras_version": version("keras"),
        "tensorflow_version": keras.backend.backend() + " " + tensorflow_version(),
    }
    print(json.dumps([{"name": "Keras", "values": seconds[1:], "warmups": seconds[:1], "facts": facts}]))


def tensorflow_version() -> str:
    """Whichever of its packages is installed."""
    import tensorflow

    return str(tensorflow.__version__)


if __name__ == "__main__":
    main()
