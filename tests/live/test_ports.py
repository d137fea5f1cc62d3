"""Ports: found by name, opened, and missed when they disappear."""

import builtins
import queue
import sys
from typing import Any

import mido
import pytest

from pianoroll_seq2seq.errors import MidiPortError, MissingExtraError, SettingsError
from pianoroll_seq2seq.live import list_ports
from pianoroll_seq2seq.live import ports as ports_module
from pianoroll_seq2seq.live.memory_backend import Memory
from pianoroll_seq2seq.live.ports import VIRTUAL_NAME, PortNames, PortWatch, open_ports


def test_ports_are_listed(memory: Memory) -> None:
    """The user cannot find the name of their keyboard."""
    ports = list_ports()
    assert (set(ports.inputs), set(ports.outputs)) == (set(memory.inputs), set(memory.outputs))
    assert str(ports).splitlines()[0] == "  input 'Keystation 49 MIDI 1'"
    assert str(PortNames((), ())) == "  input: no ports\n  output: no ports"


def test_a_port_is_found_by_a_part_of_its_name(memory: Memory) -> None:
    """Names with numbers that change must be typed, or another port is opened."""
    received: list[mido.Message] = []
    with open_ports("keystation", "fluid", received.append) as ports:
        assert (ports.input.name, ports.output.name) == ("Keystation 49 MIDI 1", "FLUID Synth (1)")
        assert ports.watched == PortNames(("Keystation 49 MIDI 1",), ("FLUID Synth (1)",))
        memory.play(mido.Message("note_on", note=60))
        ports.send(mido.Message("note_on", note=61))
    assert [message.note for message in received] == [60]
    assert [message.note for _, message in memory.sent] == [61]
    memory.play(mido.Message("note_on", note=62))
    assert len(received) == 1
    assert not memory.is_open.is_set()


def test_virtual_ports_are_the_default(memory: Memory) -> None:
    """Without devices nothing can be opened."""
    memory.inputs, memory.outputs = [], []
    with open_ports(None, None, print) as ports:
        assert ports.input.name == ports.output.name == VIRTUAL_NAME == "pianoroll-seq2seq"
        assert ports.watched == PortNames((), ())


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("organ", None),
            "input_name: no MIDI port has the name 'organ'.*input 'Keystation 49 MIDI 1'.*output 'Pad 1'",
        ),
        (
            (None, "organ"),
            "output_name: no MIDI port has the name 'organ'.*Without output_name a virtual port is opened",
        ),
        (("1", None), "input_name: several MIDI ports have the name '1'"),
    ],
)
def test_an_unknown_name_lists_the_ports(memory: Memory, names: tuple[str | None, str | None], message: str) -> None:
    """The error does not say which ports there are."""
    with pytest.raises(SettingsError, match=f"(?s){message}"), open_ports(*names, print):
        pass


def test_without_virtual_ports_the_error_says_what_to_do(memory: Memory) -> None:
    """On Windows the user does not learn about loopMIDI."""
    memory.has_virtual = False
    problem = r"No virtual MIDI port can be opened .*names of an input and an output.*loopMIDI"
    with pytest.raises(MidiPortError, match=problem), open_ports(None, "Pad 1", print):
        pass


def test_a_machine_without_midi_says_so(memory: Memory) -> None:
    """A container without a sequencer ends with a traceback of the backend."""
    memory.failure = "no sequencer"
    with pytest.raises(MidiPortError, match=r"This machine has no MIDI \(no sequencer\).*snd-seq"):
        list_ports()


def test_a_port_that_fails_says_which(memory: Memory) -> None:
    """A synthesizer that was switched off ends with a traceback of the backend."""
    with open_ports("Pad 1", "Pad 1", print) as ports:
        memory.failure = "the device is gone"
        with pytest.raises(MidiPortError, match="The MIDI output 'Pad 1' cannot be written to: the device is gone"):
            ports.send(mido.Message("note_on"))


@pytest.mark.parametrize("what", ["input", "output", "sequencer"])
def test_a_port_that_disappears_is_missed(memory: Memory, what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cable is out, and nothing happens for ever."""
    monkeypatch.setattr(ports_module, "WATCH_SECONDS", 0.01)
    found: queue.SimpleQueue[MidiPortError] = queue.SimpleQueue()
    with PortWatch(PortNames(("Keystation 49 MIDI 1",), ("Pad 1",)), found.put):
        if what == "input":
            memory.inputs = ["Pad 1"]
        elif what == "output":
            memory.outputs = []
        else:
            memory.failure = "no sequencer"
        error = found.get(timeout=30)
    expected = {"input": "'Keystation 49 MIDI 1' is gone", "output": "'Pad 1' is gone", "sequencer": "has no MIDI"}
    assert expected[what] in str(error)
    with PortWatch(PortNames((), ()), found.put):
        pass
    assert found.empty()


def test_without_the_package_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """The user does not learn what to install."""
    monkeypatch.delenv("MIDO_BACKEND", raising=False)
    for name in ("rtmidi", "mido.backends.rtmidi"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    found = builtins.__import__

    def missing(name: str, *given: Any, **more: Any) -> Any:
        if name == "rtmidi":
            raise ImportError("No module named 'rtmidi'")
        return found(name, *given, **more)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(MissingExtraError, match=r"Live MIDI needs .*'python-rtmidi'.*pianoroll-seq2seq\[live\]"):
        list_ports()


def test_another_backend_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong environment variable asks for another package."""
    monkeypatch.setenv("MIDO_BACKEND", "no_such_backend")
    with pytest.raises(SettingsError, match="MIDO_BACKEND is 'no_such_backend', which cannot be imported"):
        list_ports()


def test_the_backend_of_rtmidi_is_that_of_mido(monkeypatch: pytest.MonkeyPatch) -> None:
    """python-rtmidi has another interface than mido expects."""
    pytest.importorskip("rtmidi")
    monkeypatch.delenv("MIDO_BACKEND", raising=False)
    try:
        ports = list_ports()
    except MidiPortError as error:  # as in a container
        assert "This machine has no MIDI" in str(error)  # noqa: PT017
    else:
        assert isinstance(ports, PortNames)
