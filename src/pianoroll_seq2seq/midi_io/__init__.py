"""Reading and writing MIDI files.

``source`` gets the bytes, ``container`` finds the tracks, symusic (``fast``) or the careful reader (``events``) reads
their notes in ticks, ``channels`` applies the messages of all tracks to them and ``policy`` the caller's options,
``planes`` makes piano rolls of them, ``write`` writes files. Ticks are converted to time by
:mod:`pianoroll_seq2seq.tempo` alone.
"""

from pianoroll_seq2seq.midi_io.folder import music_paths as music_paths
from pianoroll_seq2seq.midi_io.policy import Policies as Policies
from pianoroll_seq2seq.midi_io.read import MidiNotes as MidiNotes
from pianoroll_seq2seq.midi_io.read import read_midi as read_midi
from pianoroll_seq2seq.midi_io.read import read_notes as read_notes
from pianoroll_seq2seq.midi_io.source import ByteReader as ByteReader
from pianoroll_seq2seq.midi_io.source import MidiSource as MidiSource
from pianoroll_seq2seq.midi_io.write import to_midi_bytes as to_midi_bytes
from pianoroll_seq2seq.midi_io.write import write_midi as write_midi
