"""Piano rolls and scores from and to numpy arrays, music21 streams and pypianoroll's ``.npz`` files."""

from pianoroll_seq2seq.interop.music21 import score_from_music21 as score_from_music21
from pianoroll_seq2seq.interop.music21 import score_to_music21 as score_to_music21
from pianoroll_seq2seq.interop.numpy import roll_from_array as roll_from_array
from pianoroll_seq2seq.interop.numpy import roll_to_array as roll_to_array
from pianoroll_seq2seq.interop.pypianoroll import Multitrack as Multitrack
from pianoroll_seq2seq.interop.pypianoroll import Track as Track
from pianoroll_seq2seq.interop.pypianoroll import read_pypianoroll as read_pypianoroll
from pianoroll_seq2seq.interop.pypianoroll import write_pypianoroll as write_pypianoroll
