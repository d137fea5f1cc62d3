"""Sound: renders piano rolls and scores as samples, and writes WAV, FLAC and OGG files.

With the extra ``audio``, a SoundFont (a file of recorded instruments) is used. Without it, a plain additive synthesizer
plays a few sine waves for each note.
"""

from pianoroll_seq2seq.display.audio.rendering import to_audio as to_audio
from pianoroll_seq2seq.display.audio.samples import Audio as Audio
