"""A model in a file: weights as safetensors, everything else as JSON in the same file's header.

One file, so that it can be replaced in one step: whoever reads it sees a whole checkpoint, old or new.
Besides the weights it may hold the grid and pitches it was trained on, and the state of training. Nothing in it is
executed on loading: no pickle, and no class is built but this library's and those the caller names. A checksum tells
whether it is as it was written.
"""

from pianoroll_seq2seq.checkpoint.descriptions import build as build
from pianoroll_seq2seq.checkpoint.descriptions import describe as describe
from pianoroll_seq2seq.checkpoint.files import FORMAT_VERSION as FORMAT_VERSION
from pianoroll_seq2seq.checkpoint.files import read_header as read_header
from pianoroll_seq2seq.checkpoint.models import load as load
from pianoroll_seq2seq.checkpoint.models import restore as restore
from pianoroll_seq2seq.checkpoint.models import save as save
