"""A model in a file: weights as safetensors, everything else as JSON in the same file's header.

It is one file, so that it is replaced in one step: a reader sees the old checkpoint or the new one, never a part.
It may also contain the state of training. Loading executes nothing: there is no pickle, and
only classes of this library and those that the caller names are built. A checksum detects changes.
"""

from pianoroll_seq2seq.checkpoint.budget import Budget as Budget
from pianoroll_seq2seq.checkpoint.descriptions import build as build
from pianoroll_seq2seq.checkpoint.descriptions import describe as describe
from pianoroll_seq2seq.checkpoint.files import FORMAT_VERSION as FORMAT_VERSION
from pianoroll_seq2seq.checkpoint.files import read_header as read_header
from pianoroll_seq2seq.checkpoint.models import load as load
from pianoroll_seq2seq.checkpoint.models import restore as restore
from pianoroll_seq2seq.checkpoint.models import save as save
