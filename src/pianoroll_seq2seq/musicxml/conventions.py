"""What reading and writing have in common."""

FULL_DYNAMICS = 90
"""The velocity of which ``dynamics`` are percent."""

OWN_TICKS = "pianoroll-seq2seq ticks-per-beat"
"""The name of a ``miscellaneous-field`` of our files: MusicXML has no element for this, nor for the next."""

OWN_END = "pianoroll-seq2seq end-tick"
"""The end of the silence after the last note, in such ticks."""
