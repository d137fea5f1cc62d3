"""Whether a checkpoint belongs to the same run, and what differs if it does not."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pianoroll_seq2seq.errors import CheckpointError
from pianoroll_seq2seq.train.schedules import Schedule, first_change, schedule_difference

_MAX_LISTED = 5
_PARTS = {"train": "training", "valid": "validation"}


def check_same_run(
    label: str, before: Mapping[str, Any], now: Mapping[str, Any], *, schedule: Schedule | None = None, steps: int = 0
) -> None:
    """Refuses a checkpoint of another model, other data or other settings.

    Args:
        label: names the checkpoint.
        before: the description of its run, under ``model``, ``data``, ``optimizer``, ``schedule`` and ``run``.
        now: the description of the run that would resume it.
        schedule: the schedule of that run.
        steps: optimizer steps that the checkpoint's run has done.

    Raises:
        CheckpointError: names what differs.
    """
    found = [
        *_differences("model", before.get("model"), now["model"]),
        *_data_differences(before.get("data") or {}, now["data"]),
        *_optimizer_differences(before.get("optimizer") or {}, now["optimizer"]),
        *schedule_difference(before.get("schedule") or {}, now["schedule"], schedule),
        *_differences("run", before.get("run"), now["run"]),
    ]
    if found:
        more = f"; and {len(found) - _MAX_LISTED} more" if len(found) > _MAX_LISTED else ""
        raise CheckpointError(
            f"{label}: cannot resume this run: {'; '.join(found[:_MAX_LISTED])}{more}. Choose another checkpoint_dir "
            f"(--output), or train with the same data and settings."
        )
    _check_epochs(label, before["schedule"], now["schedule"], schedule, steps)


def _check_epochs(
    label: str, before: Mapping[str, Any], now: Mapping[str, Any], schedule: Schedule | None, steps: int
) -> None:
    """Refuses another number of epochs if the steps done so far would have had other learning rates.

    Raises:
        CheckpointError: names the schedule, and what can be done.
    """
    changed = first_change(schedule, before["steps"], now["steps"], steps)
    if changed is None:
        return
    raise CheckpointError(
        f"{label}: cannot resume this run with another number of epochs. It was planned for {before['epochs']} and "
        f"would now have {now['epochs']}; its schedule, {now['name']}, spans all epochs, so that the learning rates of "
        f"the {steps} steps done would have been others from step {changed + 1} on. Pass epochs={before['epochs']}, or "
        f"train from the beginning in another checkpoint_dir (--output). Runs can be extended with a schedule that "
        f"depends on the step alone, such as a constant learning rate (schedule=None; --schedule constant)."
    )


def _data_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for key in ("layout", "condition_size"):
        yield from _differences(f"data.{key}", before.get(key), now[key])
    yield from _part_differences("train", before.get("train") or {}, now["train"])
    if before.get("valid") is not None and now["valid"] is not None:  # validation alone changes no weights
        yield from _part_differences("valid", before["valid"], now["valid"])


def _part_differences(part: str, before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """Differences in the training or the validation data. Hashes are named by what they are hashes of."""
    hashes, name = ("content", "order", "conditions", "batches"), _PARTS[part]
    if before.get("content") != now["content"]:
        kind = "pieces" if "pieces" in now else "examples"
        count, new_count = before.get(kind), now[kind]
        yield f"the {name} {kind} are others ({count}" + (f", now {new_count})" if new_count != count else ")")
    elif before.get("order") != now.get("order"):
        yield f"the {name} pieces are in another order"
    if before.get("conditions") != now.get("conditions") and (before.get("content") == now["content"]):
        yield f"the conditions of the {name} pieces are others"
    if before.get("batches") != now.get("batches"):
        yield f"the batches of the {name} examples are others"
    for key in (*before, *(key for key in now if key not in before)):
        if key not in (*hashes, "pieces", "examples"):
            yield from _differences(f"data.{part}.{key}", before.get(key), now.get(key))


def _optimizer_differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    same_class = before.get("class") == now["class"]
    if not same_class:
        yield f"run.optimizer was {before.get('class')} and is now {now['class']}"
    ours, theirs = before.get("groups") or [], now["groups"]
    if len(ours) != len(theirs):
        yield f"run.optimizer had {len(ours)} parameter groups and now has {len(theirs)}"
        return
    for number, (old, new) in enumerate(zip(ours, theirs, strict=True)):
        path = "run.optimizer" if len(theirs) == 1 else f"run.optimizer.param_groups[{number}]"
        for key in (*old, *(key for key in new if key not in old)):
            if key == "parameters":
                yield from _name_differences(f"{path} updates", old[key], new[key])
            elif same_class or (key in old and key in new):  # other classes have other arguments
                yield from _differences(f"{path}.{key}", old.get(key), new.get(key))
    yield from _name_differences("frozen parameters:", before.get("frozen") or [], now["frozen"])


def _name_differences(path: str, before: Sequence[str], now: Sequence[str]) -> Iterator[str]:
    """How two lists of parameters differ."""
    if list(before) == list(now):
        return
    gone = [name for name in before if name not in set(now)]
    added = [name for name in now if name not in set(before)]
    parts = [f"{verb} {_listed(names)}" for verb, names in (("no longer", gone), ("now also", added)) if names]
    yield f"{path} {' and '.join(parts)}" if parts else f"{path} the same parameters in another order"


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _differences(name: str, before: Any, now: Any) -> list[str]:
    """What differs between two descriptions, such as ``model.hidden_size was 64 and is now 48``."""
    if isinstance(before, Mapping) and isinstance(now, Mapping):
        inner = {key: name if key == "settings" else f"{name}.{key}" for key in (*before, *now)}
        return [line for key, path in inner.items() for line in _differences(path, before.get(key), now.get(key))]
    return [] if before == now else [f"{name} was {before} and is now {now}"]
