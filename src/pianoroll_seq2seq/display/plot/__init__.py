"""Plots (extra ``plot``). Each function draws into the given axes, or into new ones, and returns them.

The colours are those of Okabe and Ito, which colour-blind readers can distinguish. Hatches, dashes or shades of grey
repeat what the colours say, so that plots can be printed in black and white.
"""

from pianoroll_seq2seq.display.plot.attention import plot_attention
from pianoroll_seq2seq.display.plot.curves import plot_histories, plot_learning_rates
from pianoroll_seq2seq.display.plot.distributions import plot_distributions
from pianoroll_seq2seq.display.plot.evaluations import plot_evaluation
from pianoroll_seq2seq.display.plot.figures import save_figure
from pianoroll_seq2seq.display.plot.probabilities import plot_probabilities
from pianoroll_seq2seq.display.plot.roll import plot_roll
from pianoroll_seq2seq.display.plot.times import TimeUnit
from pianoroll_seq2seq.display.plot.voices import plot_voices

__all__ = [
    "TimeUnit",
    "plot_attention",
    "plot_distributions",
    "plot_evaluation",
    "plot_histories",
    "plot_learning_rates",
    "plot_probabilities",
    "plot_roll",
    "plot_voices",
    "save_figure",
]
