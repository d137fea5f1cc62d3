"""The player of pages: its data in Python, and its scripts in a browser."""

import base64
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from chromium import opened_page, painted_notes
from playwright.sync_api import Page

from pianoroll_seq2seq import BeatGrid, Meter, PianoRoll, PitchRange, SecondsGrid, TempoMap, TimeSignature
from pianoroll_seq2seq.display.html import VELOCITY, PlayerData, asset, player_data, roll_image, script_json
from pianoroll_seq2seq.errors import SettingsError


def _roll(*, frames: int = 16, grid: BeatGrid | SecondsGrid = BeatGrid(2)) -> PianoRoll:
    """A pitch after another, upwards from C4, at 120 BPM: a quarter of a second each."""
    active = np.arange(frames)[:, None] % 25 == np.arange(25)
    return PianoRoll.from_active(active, grid=grid, pitches=PitchRange(60, 84), name="upwards")


def test_times_are_those_of_the_tempo() -> None:
    """The page plays at another tempo than the MIDI file, or its beat lines lie beside the notes."""
    active = np.array([[1, 0], [1, 0], [1, 1], [0, 1]], dtype=bool)
    onset = np.array([[1, 0], [1, 0], [0, 1], [0, 0]], dtype=bool)
    tempo = TempoMap(480, [(480, 1_000_000)])
    made = player_data(PianoRoll(active, onset, BeatGrid(2), PitchRange(60, 61), tempo, "two"), primer_frames=1)
    assert made["notes"] == [
        [0.0, 0.25, 60, VELOCITY, 0],
        [0.25, 1.0, 60, VELOCITY, 0],
        [0.5, 1.5, 61, VELOCITY, 0],
    ]
    assert (made["name"], made["seconds"], made["primer_seconds"]) == ("two", 1.5, 0.25)
    assert made["beats"] == [0.0, 0.5, 1.5]


def test_parts_velocities_and_bars_are_on_the_page() -> None:
    """Everything sounds at one loudness in one colour, or drums play as a piano."""
    roll = PianoRoll.stack({"tune": _roll(frames=8).with_velocity(127), "kit": _roll(frames=8).with_velocity(32)})
    drums = tuple(replace(part, drums=part.name == "kit") for part in roll.parts)
    made = player_data(replace(roll, parts=drums, meter=Meter([TimeSignature(0, 3, 4)]))[1:])
    assert [(part["name"], part["drums"]) for part in made["parts"]] == [("tune", False), ("kit", True)]
    assert len({part["colour"] for part in made["parts"]}) == 2
    assert made["notes"][:2] == [[0.0, 0.25, 61, 1.0, 0], [0.0, 0.25, 61, 0.25, 1]]
    assert made["bars"] == [0.0, 1.25]
    image = roll_image(made)
    svg = base64.b64decode(image.split("base64,")[1].split('"')[0]).decode()
    assert "in 2 parts: tune, kit" in image
    assert ">tune</text>" in svg
    assert ">kit</text>" in svg
    assert {'opacity="1.0"', 'opacity="0.6"'} <= set(re.findall(r'opacity="[^"]*"', svg))


def test_beats_of_a_grid_in_seconds() -> None:
    """Rolls of 20 ms frames have a beat line in every frame, or none."""
    made = player_data(_roll(frames=60, grid=SecondsGrid(0.02)), name="another name")
    assert made["beats"] == [0.0, 0.5, 1.0]
    assert (made["seconds"], made["name"]) == (1.2, "another name")


def test_drawn_range() -> None:
    """Music of one pitch fills the whole height, or a silent roll has none."""
    assert (player_data(_roll())["lowest"], player_data(_roll())["highest"]) == (59, 76)
    alone = player_data(_roll(frames=1))
    assert alone["lowest"] < 60 < alone["highest"]
    assert alone["highest"] - alone["lowest"] == 12
    silent = PianoRoll.from_active(np.zeros((4, 2), dtype=bool), pitches=PitchRange(126, 127))
    assert (player_data(silent)["lowest"], player_data(silent)["highest"], player_data(silent)["notes"]) == (
        126,
        127,
        [],
    )
    top = PianoRoll.from_active(np.ones((1, 1), dtype=bool), pitches=PitchRange(127, 127))
    assert player_data(top)["highest"] == 127


def test_invalid_arguments_are_named() -> None:
    """A primer longer than the piece, or a part of another name, fails somewhere in a browser."""
    with pytest.raises(SettingsError, match=r"0\.\.16"):
        player_data(_roll(), primer_frames=17)
    with pytest.raises(SettingsError, match=r"pianoroll\.js"):
        asset("jquery.js")


def test_no_name_ends_the_script() -> None:
    """A piece called ``</script>`` ends the page's script and begins its own."""
    assert "<" not in script_json({"name": "</script><img src=x onerror=alert(1)>"})


@contextmanager
def _mounted(*pieces: PlayerData, dark: bool = False) -> Iterator[Page]:
    """A page with the pieces mounted as ``figures``."""
    html = f"""<!doctype html><meta charset="utf-8"><title>music</title><style>{asset("page.css")}</style>
    <body class="pr-page"><script>{asset("pianoroll.js")}
    const figures = {script_json(list(pieces))}.map((data) => mountPlayer(document.body, data));
    </script>"""
    with opened_page(dark=dark) as page:
        page.set_content(html)
        yield page


def _position(page: Page, figure: int = 0) -> float:
    return float(page.evaluate(f"figures[{figure}].player.position"))


def _play(page: Page, *, until: float) -> None:
    page.evaluate("figures[0].player.play()")
    page.wait_for_function(f"figures[0].player.position > {until}")


def test_it_plays_and_the_cursor_moves() -> None:
    """The button does nothing, the cursor does not move, or it continues after the end."""
    with _mounted(player_data(_roll(frames=4), primer_frames=2)) as page:
        group = page.get_by_role("group", name="upwards")
        cursor = group.locator(".pr-cursor")
        before = cursor.bounding_box()
        group.get_by_role("button", name="Play").click()
        page.wait_for_function("figures[0].player.position > 0.3")
        after = cursor.bounding_box()
        assert before is not None
        assert after is not None
        assert after["x"] > before["x"] + 100
        group.get_by_role("button", name="Pause").click()
        paused = _position(page)
        page.evaluate("new Promise(requestAnimationFrame)")
        assert _position(page) == paused < 1
        group.get_by_role("button", name="Play").click()
        group.get_by_role("button", name="Play").wait_for()  # it has ended
        assert _position(page) == 1
        assert group.locator(".pr-time").inner_text() == "0:01 / 0:01"
        group.get_by_role("button", name="Play").click()  # and begins again
        assert _position(page) < 0.5


def _sound(page: Page, data: PlayerData) -> np.ndarray:
    """Two seconds of a piece, by a page whose clock is that of the samples."""
    samples = page.evaluate(
        """async (data) => {
            const context = new OfflineAudioContext(1, 2 * 44100, 44100);
            context.resume = () => {};
            window.pianorollAudio = context;
            const player = new Player(data);
            player.play();
            player.extend([], data.seconds);
            const buffer = await context.startRendering();
            player.destroy();
            const reader = new FileReader();
            reader.readAsDataURL(new Blob([buffer.getChannelData(0)]));
            await new Promise((resolve) => (reader.onload = resolve));
            return reader.result.split(",")[1];
        }""",
        data,
    )
    return np.frombuffer(base64.b64decode(samples), dtype="<f4")


def test_the_sound_is_that_of_the_notes() -> None:
    """It moves and is silent, plays another pitch, or clicks where a note begins or ends."""
    active = np.zeros((8, 1), dtype=bool)
    active[2:5] = True
    silence_a4_silence = PianoRoll.from_active(active, grid=BeatGrid(2), pitches=PitchRange(69, 69))
    with _mounted() as page:
        samples = _sound(page, player_data(silence_a4_silence))
    assert np.abs(samples[:21_000]).max() == 0
    sounding = samples[24_000:54_000]
    spectrum = np.abs(np.fft.rfft(sounding * np.hanning(len(sounding))))
    assert abs(np.argmax(spectrum) * 44100 / len(sounding) - 440) < 1.5
    assert 0.05 < np.abs(sounding).max() < 0.9
    assert np.abs(samples[80_000:]).max() < 1e-3
    assert np.abs(np.diff(samples)).max() < 3 * np.abs(np.diff(sounding)).max(), "no jump louder than the tone"


def test_programs_and_drums_sound_as_what_they_are() -> None:
    """A flute sounds as a piano, a held organ note dies away, or a bass drum as a cymbal."""
    active = np.zeros((8, 60), dtype=bool)
    active[:6, 33] = True  # A4, for a second and a half

    def data(program: int, *, drum: int | None = None) -> PlayerData:
        roll = PianoRoll.from_active(active, grid=BeatGrid(2), pitches=PitchRange(36, 95))
        made = player_data(roll)
        made["parts"][0].update(program=program, drums=drum is not None)
        return made if drum is None else made | {"notes": [[0.0, 0.1, drum, 0.8, 0]]}

    def strength(samples: np.ndarray, low: float, high: float) -> float:
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples)))) ** 2
        hertz = np.fft.rfftfreq(len(samples), 1 / 44100)
        return float(spectrum[(hertz >= low) & (hertz < high)].sum() / spectrum.sum())

    with _mounted() as page:
        piano, organ, flute, trumpet = (_sound(page, data(program)) for program in (0, 19, 73, 56))
        bass_drum, cymbal = (_sound(page, data(0, drum=pitch)) for pitch in (36, 49))
    held, beginning = slice(50_000, 60_000), slice(5_000, 15_000)

    def falls(samples: np.ndarray) -> float:
        return float(np.abs(samples[held]).max() / np.abs(samples[beginning]).max())

    assert falls(piano) < 0.6
    assert falls(organ) > 0.9
    assert strength(trumpet[beginning], 600, 20_000) > 0.4
    assert strength(flute[beginning], 600, 20_000) < 0.15
    assert strength(bass_drum[:20_000], 0, 200) > 0.8
    assert strength(cymbal[:20_000], 3_000, 20_000) > 0.7
    assert all(np.abs(samples).max() > 0.02 for samples in (piano, organ, flute, trumpet, bass_drum, cymbal))


def test_seeking_tempo_and_loop() -> None:
    """A click beside the cursor does nothing, double tempo is not double, or the loop ends."""
    with _mounted(player_data(_roll(frames=64))) as page:
        roll = page.get_by_role("img", name="Piano roll of upwards: 64 notes")
        roll.click(position={"x": 240, "y": 100})
        clicked = _position(page)
        assert clicked == pytest.approx(200 / 60, abs=0.1)  # forty pixels of pitch names, sixty for a second
        _play(page, until=clicked + 0.2)
        page.evaluate("figures[0].player.seek(8)")
        assert 7.9 < _position(page) < 8.2
        page.get_by_label("Tempo").fill("2")
        clocks = "[figures[0].player.position, pianorollAudio.currentTime]"
        before = page.evaluate(clocks)
        page.wait_for_function(f"pianorollAudio.currentTime > {before[1] + 0.3}")
        after = page.evaluate(clocks)
        assert after[0] - before[0] == pytest.approx(2 * (after[1] - before[1]), rel=0.02)
        assert page.get_by_label("Tempo").get_attribute("aria-valuetext") == "2.00 times"
        page.get_by_label("Loop").check()
        page.evaluate("figures[0].player.seek(15.8)")
        page.wait_for_function("figures[0].player.position < 1")
        assert page.evaluate("figures[0].player.playing")
        page.wait_for_function("figures[0].player.position > 1")


def test_more_music_while_it_plays() -> None:
    """Music that streams in stops the player, is not drawn, or plays too late."""
    with _mounted(player_data(_roll(frames=4))) as page:
        _play(page, until=0.2)
        page.evaluate("figures[0].player.extend([[1, 2, 80, 0.8], [2, 3, 40, 0.8]], 3)")
        page.evaluate("figures[0].view.extend([[1, 2, 80, 0.8], [2, 3, 40, 0.8]], 3)")
        assert page.evaluate("figures[0].player.seconds") == 3
        page.wait_for_function("figures[0].player.position > 1.1")
        assert page.evaluate("figures[0].player.playing")
        roll = page.get_by_role("img", name="6 notes between E2 and G#5 in 3.0 seconds")
        roll.wait_for()
        assert page.evaluate("figures[0].view.painted.map(({ note }) => note[2])") == [60, 61, 62, 63, 80, 40]
        page.evaluate("figures[0].player.destroy()")
        assert not page.evaluate("figures[0].player.playing")


def test_one_player_at_a_time() -> None:
    """Two pieces play at the same time."""
    with _mounted(player_data(_roll()), player_data(_roll())) as page:
        page.get_by_role("button", name="Play").first.click()
        page.get_by_role("button", name="Play").last.click()
        assert page.evaluate("figures.map((figure) => figure.player.playing)") == [False, True]
        assert page.get_by_role("button").all_inner_texts() == ["Play", "Pause"]


def test_by_keyboard_alone() -> None:
    """Some controls cannot be reached without a mouse."""
    with _mounted(player_data(_roll(frames=64))) as page:
        reached = []
        for _ in range(4):
            page.keyboard.press("Tab")
            reached.append(page.evaluate("document.activeElement.className"))
        assert reached == ["pr-play", "pr-seek", "pr-tempo", "pr-loop"]
        page.keyboard.press("Space")
        assert page.evaluate("figures[0].player.loop")
        page.locator(".pr-seek").focus()
        for key in ("ArrowRight", "ArrowUp", "PageUp", "ArrowLeft"):
            page.keyboard.press(key)
        assert _position(page) == 11
        assert page.evaluate("(figures[0].player.play(), figures[0].player.position)") >= 11, "not before it began"
        page.evaluate("figures[0].player.pause()")
        position = page.get_by_role("slider", name="Position")
        assert position.get_attribute("aria-valuetext") == "0:11 of 0:16"
        page.keyboard.press("Home")
        assert _position(page) == 0
        page.locator(".pr-play").focus()
        page.keyboard.press("Enter")
        page.wait_for_function("figures[0].player.position > 0.1")


def test_a_removed_figure_stops() -> None:
    """A notebook cell that is run again plays on without a control to stop it."""
    with _mounted(player_data(_roll(frames=64))) as page:
        page.get_by_role("button", name="Play").click()
        page.wait_for_function("figures[0].player.position > 0.1")
        page.evaluate("document.querySelector('.pr-figure').remove()")
        page.wait_for_function("!figures[0].player.playing")


def test_reduced_motion() -> None:
    """The strip scrolls although the system is set to reduced motion."""
    with _mounted(player_data(_roll(frames=400))) as page:
        scrolled = "figures[0].view.scrolled"
        page.evaluate("figures[0].view.draw(10)")
        assert page.evaluate(scrolled) > 100
        page.emulate_media(reduced_motion="reduce")
        page.evaluate("figures[0].view.draw(10)")
        assert page.evaluate(scrolled) == 0
        page.evaluate("figures[0].view.draw(20)")
        assert page.evaluate(scrolled) > 600


def test_only_what_is_visible_is_painted() -> None:
    """A long piece is painted from its beginning to its end in each frame, or notes are missing at the edges."""
    frames = 2400  # ten minutes
    with _mounted(player_data(_roll(frames=frames))) as page:
        assert [note["note"][0] for note in painted_notes(page)] == [0.25 * index for index in range(64)]
        page.evaluate("figures[0].view.draw(300)")
        width = page.evaluate("document.querySelector('.pr-canvas').clientWidth")
        shown = painted_notes(page)
        first = 300 - 0.3 * width / 60
        wanted = [0.25 * index for index in range(frames) if first - 0.25 < 0.25 * index < first + width / 60]
        assert [note["note"][0] for note in shown] == wanted
        assert all(note["x"] + note["width"] > 0 and note["x"] < width for note in shown)
        page.evaluate("figures[0].view.extend([[0, 600, 50, 0.8, 0]], 600)")
        assert [note["note"] for note in painted_notes(page) if note["note"][2] == 50] == [[0, 600, 50, 0.8, 0]]


_PIXEL = """([x, y]) => {
    const canvas = document.querySelector(".pr-canvas");
    const copy = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
    copy.drawImage(canvas, -Math.round(x * devicePixelRatio), -Math.round(y * devicePixelRatio));
    return Array.from(copy.getImageData(0, 0, 1, 1).data.slice(0, 3));
}"""


def _pixel(page: Page, note: dict[str, Any]) -> list[int]:
    """The colour in the middle of a painted note."""
    return list(page.evaluate(_PIXEL, [note["x"] + note["width"] / 2, note["y"] + note["height"] / 2]))


def _changed_pixel(page: Page, note: dict[str, Any], *, before: list[int]) -> list[int]:
    middle = [note["x"] + note["width"] / 2, note["y"] + note["height"] / 2]
    page.wait_for_function(f"({_PIXEL})({middle}).join() !== '{','.join(map(str, before))}'")
    return _pixel(page, note)


def test_colours_are_those_of_parts_velocities_and_themes() -> None:
    """Parts or velocities look alike, or the roll stays light on a page that has become dark."""
    tune, bass = _roll(frames=8).with_velocity(127), _roll(frames=8).transpose(12).with_velocity(127)
    with _mounted(player_data(PianoRoll.stack({"tune": tune, "bass": bass}))) as page:
        shown = painted_notes(page)
        parts = [next(note for note in shown if note["note"][4] == part) for part in (0, 1)]
        colours = [[int(note["colour"][at : at + 2], 16) for at in (1, 3, 5)] for note in parts]
        assert [_pixel(page, note) for note in parts] == colours
        assert colours[0] != colours[1]
    with _mounted(player_data(_roll(frames=8).with_velocity(32)), dark=False) as page:
        note = painted_notes(page)[0]
        soft = _pixel(page, note)
        page.emulate_media(color_scheme="dark")
        dark = _changed_pixel(page, note, before=soft)
        assert sum(dark) < sum(soft) - 60, "the ground shines through soft notes"
        page.evaluate("document.body.dataset.theme = 'light'")
        assert _changed_pixel(page, note, before=dark) == soft
