"""The parts of pages that play music: the scripts, and the data that they read.

A page is one file that loads nothing else: it contains the scripts (``player.js`` plays, ``roll.js`` draws,
``figure.js`` puts both under one set of controls), the style (``page.css``), and the music as JSON. The report, the
notebook display and the studio consist of these parts.
"""

from pianoroll_seq2seq.display.html.assets import asset, scripts
from pianoroll_seq2seq.display.html.figures import Download, Figure, figure_script
from pianoroll_seq2seq.display.html.player_data import VELOCITY, PlayerData, player_data, script_json
from pianoroll_seq2seq.display.html.svg_images import curves_image, roll_image

__all__ = [
    "VELOCITY",
    "Download",
    "Figure",
    "PlayerData",
    "asset",
    "curves_image",
    "figure_script",
    "player_data",
    "roll_image",
    "script_json",
    "scripts",
]
