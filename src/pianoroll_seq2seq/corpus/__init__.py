"""Many files as one corpus: bit-packed frames on disk, mapped into memory and read a batch at a time.

``build`` plans the shards, ``workers`` shares them out to an executor, ``shard`` is what each worker does, and
``reading`` gives them back as a sequence of rolls.
"""

from pianoroll_seq2seq.corpus.build import build_corpus as build_corpus
from pianoroll_seq2seq.corpus.packing import PackedPieces as PackedPieces
from pianoroll_seq2seq.corpus.packing import pack_rolls as pack_rolls
from pianoroll_seq2seq.corpus.reading import Corpus as Corpus
