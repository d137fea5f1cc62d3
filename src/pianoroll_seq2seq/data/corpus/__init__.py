"""Many files as one corpus: bit-packed frames on disk, mapped into memory and read a batch at a time.

``build`` plans the shards, ``workers`` distributes them to an executor, ``shard`` builds one of them, and ``reading``
opens them as a sequence of rolls.
"""

from pianoroll_seq2seq.data.corpus.build import build_corpus as build_corpus
from pianoroll_seq2seq.data.corpus.packing import PackedPieces as PackedPieces
from pianoroll_seq2seq.data.corpus.packing import pack_rolls as pack_rolls
from pianoroll_seq2seq.data.corpus.reading import Corpus as Corpus
