"""Sliding windows over piano rolls: input frames for the encoder, and the target frames that follow them."""

from pianoroll_seq2seq.windowing.sliding import SlidingWindows as SlidingWindows
