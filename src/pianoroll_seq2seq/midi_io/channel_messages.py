"""The messages that change a channel for all tracks: programs, banks, pedals, endings of notes, drums and resets."""

from typing import Any

# The kinds of messages. A message is one number: its kind, its channel (or ALL_CHANNELS) and its value.
PROGRAM, BANK, PEDAL, SOUND_OFF, NOTES_OFF, RHYTHM_PART, PART_MODE, RESET = 1, 2, 3, 4, 5, 6, 7, 8
MESSAGE_KIND, MESSAGE_CHANNEL = 12, 7
"""The shifts of kind and channel in the number of a message; its lowest bits are the value."""
ALL_CHANNELS = 16

# The value of a reset: which rules for banks follow it.
GM_MODE, GS_MODE, XG_MODE = 0, 1, 2

DRUM_FLAG = 128
"""The bit of a channel's state that is set if it is the drums; the bits below are the program."""

DRUMS_BY_DEFAULT = 9
"""The channel that is drums until a message says otherwise."""


def channel_states(messages: Any, channel: int, states: Any) -> None:
    """The state of a channel after each of the messages that reach it, in the order in which they are played.

    Only integers and indices, so that numba can compile it unchanged.

    Args:
        messages: the messages of the channel and of all channels.
        channel: 0..15.
        states: filled with the program, and ``DRUM_FLAG`` if the channel is the drums.
    """
    mode = GM_MODE
    program = bank = 0
    part = channel == DRUMS_BY_DEFAULT  # what the part is by itself
    kit = -1  # what the bank makes of it: 1 drums, 0 no drums, -1 nothing
    for index in range(len(messages)):
        message = messages[index] * 1
        kind, value = message >> MESSAGE_KIND, message & 0x7F
        if kind == PROGRAM:
            program = value
            if mode != GS_MODE:  # banks 126 and 127 of GS are the sounds of older instruments
                if bank in (120, 126, 127):
                    kit = 1
                elif bank == 121 or mode == XG_MODE:
                    kit = 0
                else:
                    kit = -1
        elif kind == BANK:
            bank = value
        elif kind == RHYTHM_PART:
            part, kit = value > 0, -1
        elif kind == PART_MODE:
            part, kit = value > 0, -1
            bank = 127 if value > 0 else 0
        elif kind == RESET:
            mode, program, kit = value, 0, -1
            part = channel == DRUMS_BY_DEFAULT
            bank = 127 if mode == XG_MODE and part else 0
        drums = part if kit < 0 else kit > 0
        states[index] = (DRUM_FLAG if drums else 0) | program
