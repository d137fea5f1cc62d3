"""Piano rolls and scores from and to other libraries' things: numpy arrays, music21 streams, pypianoroll's ``.npz``."""

from pianoroll_seq2seq.interchange.arrays import roll_from_array as roll_from_array
from pianoroll_seq2seq.interchange.arrays import roll_to_array as roll_to_array
from pianoroll_seq2seq.interchange.multitrack import Multitrack as Multitrack
from pianoroll_seq2seq.interchange.multitrack import Track as Track
from pianoroll_seq2seq.interchange.multitrack import read_pypianoroll as read_pypianoroll
from pianoroll_seq2seq.interchange.multitrack import write_pypianoroll as write_pypianoroll
from pianoroll_seq2seq.interchange.streams import score_from_music21 as score_from_music21
from pianoroll_seq2seq.interchange.streams import score_to_music21 as score_to_music21
