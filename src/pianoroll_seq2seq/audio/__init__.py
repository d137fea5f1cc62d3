"""Sound: a piano roll or a score as samples, and as a WAV, FLAC or OGG file.

With the extra ``audio`` a SoundFont plays, recorded instruments in a file; without it a plain synthesizer does, of
a few sine waves a note.
"""

from pianoroll_seq2seq.audio.playing import to_audio as to_audio
from pianoroll_seq2seq.audio.samples import Audio as Audio
