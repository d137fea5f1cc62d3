"""Reports: a run on one HTML page that contains all it shows and plays, and loads nothing else.

The page has the music, each piece with a scrolling roll, a player, and MIDI and WAV downloads; the scores beside the
copying baselines; the loss curves; and facts about data, model and training. It works with screen readers and by
keyboard, and has a light and a dark theme.
"""

from pianoroll_seq2seq.display.report.page import describe_model, write_report
from pianoroll_seq2seq.display.report.run import report_run

__all__ = ["describe_model", "report_run", "write_report"]
