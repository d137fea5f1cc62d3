"""The piano roll: its planes, and its conversions to and from other forms of music."""

from pianoroll_seq2seq.pianoroll.conversions import RollNotes as RollNotes
from pianoroll_seq2seq.pianoroll.joining import concatenate as concatenate
from pianoroll_seq2seq.pianoroll.roll import PianoRoll as PianoRoll
