"""Reading and writing MusicXML, the format in which notation programs exchange scores.

``document`` finds the score in a file, ``measures`` reads the bars of a part, ``read`` makes a score of them;
``notation`` splits notes into voices and written note values, ``write`` makes a file of them. ``conversion`` makes MIDI
of MusicXML, for what reads MIDI files.
"""

from pianoroll_seq2seq.musicxml.conversion import ENDINGS as ENDINGS
from pianoroll_seq2seq.musicxml.conversion import midi_bytes_of as midi_bytes_of
from pianoroll_seq2seq.musicxml.conversion import midi_source_of as midi_source_of
from pianoroll_seq2seq.musicxml.read import read_musicxml as read_musicxml
from pianoroll_seq2seq.musicxml.write import to_musicxml_bytes as to_musicxml_bytes
from pianoroll_seq2seq.musicxml.write import write_musicxml as write_musicxml
