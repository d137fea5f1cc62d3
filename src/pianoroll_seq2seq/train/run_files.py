"""The file names of a run's folder."""

from pianoroll_seq2seq.trackers import jsonl

METRICS = jsonl.METRICS
"""What a :class:`~pianoroll_seq2seq.trackers.jsonl.JsonlTracker` logs."""

LAST = "last.safetensors"
"""The newest checkpoint, from which training resumes."""

PREVIOUS = "previous.safetensors"
"""The checkpoint before :data:`LAST`."""

BEST = "best.safetensors"
"""The model of the best epoch."""

HISTORY = "history.jsonl"
"""The losses of all epochs (:class:`~pianoroll_seq2seq.train.history.History`)."""

CONFIG = "config.yaml"
"""The options of the command line."""

SETTINGS = "run.json"
"""The settings of a script."""

SCORES = "scores.json"
"""How good the model is on the test set."""

PRIMER = "primer.mid"
"""What the generated music continues."""

GENERATED = "generated.mid"
"""Music that the model generated."""

SAMPLES = "samples"
"""The folder of music that the model wrote during training."""
