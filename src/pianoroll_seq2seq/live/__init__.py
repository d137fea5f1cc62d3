"""Playing with a model on a MIDI keyboard: call and response, in time.

:func:`run_live` plays through MIDI ports, as does ``pianoroll-seq2seq live``. It needs the extra ``live``.

:mod:`.turns` has whose turn it is and :mod:`.keys` the player's keys as frames, both without time and devices;
:mod:`.performance` plays them by a clock. :mod:`.context` is what the model has read and written, :mod:`.writer` the
thread that lets it write ahead, :mod:`.voices` its frames as messages, and :mod:`.ports` the MIDI ports.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
