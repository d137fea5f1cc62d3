"""Whose turn it is, without time and devices."""

from hypothesis import given
from hypothesis import strategies as st

from pianoroll_seq2seq.live.turns import Answer, Begin, Conversation, Interrupt, Turn


def conversation(bar: int = 16, beat: int = 4, pause: int = 16, answer: int | None = None) -> Conversation:
    return Conversation(bar=bar, beat=beat, pause=pause, answer=answer)


def close(talk: Conversation, sounding: int, silent: int) -> list[Answer]:
    """So many frames with notes and without; the answers that they lead to."""
    events = [talk.close(sounding=True) for _ in range(sounding)] + [talk.close(sounding=False) for _ in range(silent)]
    return [event for event in events if event is not None]


def test_the_model_answers_after_a_bar_for_as_long_as_the_player_played() -> None:
    """The model answers too early, never, or for another time; or it reads the silence before its answer."""
    talk = conversation()
    assert talk.press(2) == Begin(2)
    assert close(talk, 14, 15) == []
    assert talk.turn is Turn.PLAYER
    assert close(talk, 0, 1) == [Answer(line=32, num_frames=16, drop=16)]  # 14 frames, rounded up to beats
    for _ in range(16):
        assert talk.turn is Turn.MODEL
        assert not talk.is_answered
        talk.play()
    assert talk.is_answered
    talk.end()
    assert talk.turn is Turn.NOBODY


def test_a_rest_inside_a_phrase_is_no_end() -> None:
    """The model cuts in after a rest, or counts two rests as one."""
    talk = conversation(pause=4)
    talk.press(0)
    assert close(talk, 2, 3) == []
    assert close(talk, 1, 3) == []
    assert close(talk, 0, 1) == [Answer(line=10, num_frames=8, drop=0)]


def test_of_a_longer_pause_whole_bars_are_not_read() -> None:
    """After a pause of several bars the model reads silence, or notes fall on other beats than they were played on."""
    talk = conversation(pause=40, answer=5)
    talk.press(16)
    assert close(talk, 1, 40) == [Answer(line=57, num_frames=5, drop=32)]


def test_the_player_interrupts_what_has_sounded_stays() -> None:
    """The model reads frames of its answer that did not sound, or forgets those that did."""
    talk = conversation()
    talk.press(0)
    close(talk, 32, 16)
    for _ in range(7):
        talk.play()
    assert talk.num_played == 7
    assert talk.press(55) == Interrupt(keep=7, position=7)
    assert talk.turn is Turn.PLAYER
    assert talk.line == 55
    assert close(talk, 3, 16) == [Answer(line=74, num_frames=4, drop=16)]
    for line, place in ((57, 58), (58, 58), (61, 61)):  # before its first frame, also if that is late
        again = conversation()
        again.press(0)
        close(again, 42, 16)
        assert again.press(line) == Interrupt(0, place % 16)
        assert again.line == place


def test_after_a_bar_of_rest_the_next_note_may_begin_a_bar() -> None:
    """A player who comes in with the end of the answer loses the beat, or who comes back later is beside it."""
    talk = conversation(bar=8, beat=2, pause=8)
    assert talk.is_idle(-100)
    talk.press(0)
    assert not talk.is_idle(50)
    close(talk, 8, 8)
    for _ in range(8):
        talk.play()
    talk.end()
    assert talk.line == 24
    assert not talk.is_idle(31.9)
    assert talk.is_idle(32)
    talk.restart()
    assert talk.press(0) == Begin(0)


@given(
    st.lists(st.sampled_from(("press", "sound", "rest", "wait")), max_size=120),
    st.integers(1, 9),
    st.sampled_from((None, 1, 6)),
    st.integers(0, 5),
)
def test_lines_never_go_back_and_frames_add_up(events: list[str], pause: int, answer: int | None, late: int) -> None:
    """In some order of events a frame is played twice, left out, or the model's beat is another than the player's."""
    talk = conversation(bar=4, beat=2, pause=pause, answer=answer)
    has_sounded = False
    line = length = answered_at = 0  # length: frames of the model's context, from a bar line on
    for event in events:
        before = talk.turn
        if event == "press":
            found = talk.press(max(line, talk.line) + late * (before is not Turn.PLAYER))
            line = talk.line
            if isinstance(found, Begin):
                length += (found.position - length) % 4
            elif isinstance(found, Interrupt):
                length = answered_at + found.keep
                length += (found.position - length) % 4
            has_sounded = has_sounded and before is Turn.PLAYER
            assert (found is None) == (before is Turn.PLAYER)
        elif talk.turn is Turn.PLAYER:
            found = talk.close(sounding=event == "sound" or not has_sounded)
            has_sounded = True
            line, length = line + 1, length + 1
            if isinstance(found, Answer):
                assert found.line == line
                length -= found.drop
                answered_at = length
                assert talk.turn is Turn.MODEL
                assert found.num_frames >= 1
        elif talk.turn is Turn.MODEL and talk.is_answered:
            talk.end()
        elif talk.turn is Turn.MODEL:
            talk.play()
            line, length = line + 1, length + 1
        elif event == "wait":
            line += 1
        if talk.turn is not Turn.NOBODY:
            assert talk.line == line
            assert length % 4 == line % 4
