"""Training: ``fit``, and what it is made of.

:mod:`.fitting` has ``fit``, :mod:`.run` the epochs of a run, and :mod:`.loop` its steps. :mod:`.batches` prepares
batches in the background, :mod:`.run_folder` reads and writes checkpoints, :mod:`.interruption` handles Ctrl-C and
SIGTERM, and :mod:`.processes` synchronizes several processes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
