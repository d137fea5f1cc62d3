"""Piano rolls and sequence-to-sequence models: from MIDI to music that a trained model continues.

The public names are listed in ``__init__.pyi``. Each is imported on its first use, so that
``import pianoroll_seq2seq`` is quick and does not load PyTorch.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
