"""Reading and writing MIDI files: the only place that does.

``source`` and ``container`` open what stands around the tracks, symusic (``fast``) or the careful reader (``events``)
reads their notes in ticks, ``policy`` bends them to what the caller asked for, ``write`` is the way back.
Time is ours throughout (:mod:`pianoroll_seq2seq.tempo`).
"""

from pianoroll_seq2seq.midi_io.folder import midi_paths as midi_paths
from pianoroll_seq2seq.midi_io.policy import Policies as Policies
from pianoroll_seq2seq.midi_io.read import MidiNotes as MidiNotes
from pianoroll_seq2seq.midi_io.read import read_midi as read_midi
from pianoroll_seq2seq.midi_io.read import read_notes as read_notes
from pianoroll_seq2seq.midi_io.source import ByteReader as ByteReader
from pianoroll_seq2seq.midi_io.source import MidiSource as MidiSource
from pianoroll_seq2seq.midi_io.write import to_midi_bytes as to_midi_bytes
from pianoroll_seq2seq.midi_io.write import write_midi as write_midi
