"""The parts of pages that play music: the script, and the data that it reads.

A page is one file that loads nothing else: it contains the script (``pianoroll.js``, which is made from the sources in
``web/``), the style (``page.css``), and the music as JSON. The report, the notebook display and the studio consist of
these parts.
"""

from pianoroll_seq2seq.display.html.assets import asset
from pianoroll_seq2seq.display.html.curves import curve_name, curves_figure, curves_image
from pianoroll_seq2seq.display.html.figures import Download, Figure, figure_script
from pianoroll_seq2seq.display.html.player_data import VELOCITY, PlayerData, player_data, script_json
from pianoroll_seq2seq.display.html.svg_images import roll_image

__all__ = [
    "VELOCITY",
    "Download",
    "Figure",
    "PlayerData",
    "asset",
    "curve_name",
    "curves_figure",
    "curves_image",
    "figure_script",
    "player_data",
    "roll_image",
    "script_json",
]
