"""``submit``: sends training, generating and filling to Azure Machine Learning."""

from pianoroll_seq2seq.cli.command import CommandGroup
from pianoroll_seq2seq.cli.submit_fill import FILL
from pianoroll_seq2seq.cli.submit_generate import GENERATE
from pianoroll_seq2seq.cli.submit_train import TRAIN

COMMAND = CommandGroup(
    "Runs a command on Azure Machine Learning, as it would run here.",
    {"train": TRAIN, "generate": GENERATE, "fill": FILL},
)
