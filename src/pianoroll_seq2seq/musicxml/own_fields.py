"""What MusicXML has no element for: the names of the ``miscellaneous-field`` elements of our files."""

OWN_TICKS = "pianoroll-seq2seq ticks-per-beat"
OWN_END = "pianoroll-seq2seq end-tick"
