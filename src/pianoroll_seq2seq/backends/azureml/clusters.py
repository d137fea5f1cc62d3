"""Clusters of a workspace: their creation (SDK v1), and checks before a run is sent to them."""

import re
from dataclasses import dataclass
from typing import Any

from pianoroll_seq2seq._internal.redaction import redacted
from pianoroll_seq2seq.errors import MissingExtraError, SettingsError

_MAX_IDLE_SECONDS = 86_400
_QUOTA_HINT = (
    "The quota of a subscription counts cores, for each family of machines and separately for low priority. Choose "
    "another vm_size or low_priority, fewer nodes, or request more: Azure portal, Azure Machine Learning, Quotas."
)


@dataclass(frozen=True)
class Cluster:
    """A cluster, whose machines start when there is work and stop when there is none.

    Args:
        name: of the cluster in the workspace.
        vm_size: of its machines.
        gpus: of each machine.
        max_nodes: the largest number of machines.
        low_priority: whether Azure may stop a machine at any moment, at a fraction of the price.
        created: whether it was created by this call.
    """

    name: str
    vm_size: str
    gpus: int
    max_nodes: int
    low_priority: bool
    created: bool


def ensure_cluster(
    workspace: Any,
    name: str,
    *,
    vm_size: str = "STANDARD_NC4AS_T4_V3",
    max_nodes: int = 1,
    low_priority: bool = False,
    idle_seconds: int = 300,
) -> Cluster:
    """The cluster of a name, created if it is missing. It costs nothing while it has no work.

    An existing cluster is not changed.

    Args:
        workspace: an ``azureml.core.Workspace``.
        name: of the cluster.
        vm_size: of its machines, as Azure calls it; the default has a single GPU.
        max_nodes: the largest number of machines.
        low_priority: uses spare machines at a fraction of the price, which Azure may stop at any moment. Use the
            ``checkpoint_store`` of ``fit`` with them.
        idle_seconds: how long a machine without work is kept, and paid for.

    Raises:
        SettingsError: invalid arguments, the region has no such machines or the subscription not as many, or there is
            a cluster of another kind.
        MissingExtraError: azureml-core is not installed.
    """
    try:
        from azureml.core.compute import AmlCompute, ComputeTarget
        from azureml.exceptions import ComputeTargetException
    except ImportError as error:
        raise MissingExtraError("azureml-core", "azureml", "ensure_cluster") from error
    _check(name, max_nodes, idle_seconds)
    sizes = {size["name"].lower(): size for size in AmlCompute.supported_vmsizes(workspace)}
    if vm_size.lower() not in sizes:
        raise SettingsError(_unknown_size(vm_size, sizes, workspace.location))
    gpus = int(sizes[vm_size.lower()].get("gpus") or 0)
    target = _find(workspace, name)
    if target is not None:
        _check_kind(target, vm_size, low_priority=low_priority)
        return Cluster(name, vm_size, gpus, target.scale_settings.maximum_node_count, low_priority, created=False)
    wanted = AmlCompute.provisioning_configuration(
        vm_size=vm_size,
        vm_priority="lowpriority" if low_priority else "dedicated",
        min_nodes=0,
        max_nodes=max_nodes,
        idle_seconds_before_scaledown=idle_seconds,
        remote_login_port_public_access="Disabled",
    )
    try:
        target = ComputeTarget.create(workspace, name, wanted)
        target.wait_for_completion()
    except ComputeTargetException as error:
        raise SettingsError(_refusal(name, str(error))) from error
    if target.provisioning_errors:
        raise SettingsError(_refusal(name, str(target.provisioning_errors)))
    return Cluster(name, vm_size, gpus, max_nodes, low_priority, created=True)


def check_target(workspace: Any, name: str, *, nodes: int, gpu: bool) -> None:
    """Checks that the workspace has such a compute target, with enough machines, and with GPUs if ``gpu``.

    Raises:
        SettingsError: it does not.
    """
    target = _find(workspace, name)
    if target is None:
        raise SettingsError(no_such_cluster(name))
    scale = getattr(target, "scale_settings", None)
    most = None if scale is None else scale.maximum_node_count
    check_machines(name, getattr(target, "vm_size", None), most, nodes=nodes, gpu=gpu)


def check_machines(name: str, vm_size: str | None, max_nodes: int | None, *, nodes: int, gpu: bool) -> None:
    """Checks that a cluster has enough machines, and GPUs if ``gpu``.

    Args:
        name: of the cluster.
        vm_size: of its machines; None if it is not known.
        max_nodes: the largest number of machines; None if it is not known.
        nodes: machines of the run.
        gpu: whether the run needs GPUs.

    Raises:
        SettingsError: it does not.
    """
    if max_nodes is not None and nodes > max_nodes:
        raise SettingsError(
            f"nodes={nodes}, but the cluster {name!r} has at most {max_nodes}: the run would wait forever. Request "
            f"fewer, or make the cluster larger."
        )
    if vm_size is not None and gpu != has_gpu(vm_size):
        what = "has no GPU" if gpu else "has GPUs, which gpu=False would leave idle"
        raise SettingsError(f"gpu={gpu}, but the cluster {name!r} of {vm_size} {what}. Change one of them.")


def no_such_cluster(name: str) -> str:
    """The message for a cluster that does not exist."""
    return f"compute: the workspace has no cluster {name!r}. Create it with ensure_cluster, or in the studio."


def has_gpu(vm_size: str) -> bool:
    """Whether machines of a size have GPUs: those of the N series do."""
    return re.match(r"(?i)(standard_)?N[CDGPV]", vm_size) is not None


def _check(name: str, max_nodes: int, idle_seconds: int) -> None:
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]{1,22}[A-Za-z0-9]", name):
        raise SettingsError(
            f"name must be 3 to 24 letters, digits and dashes that begin with a letter and end without a dash, got "
            f"{name!r}."
        )
    if max_nodes < 1:
        raise SettingsError(f"max_nodes must be at least 1, got {max_nodes!r}.")
    if not 0 < idle_seconds <= _MAX_IDLE_SECONDS:
        raise SettingsError(f"idle_seconds must be from 1 to {_MAX_IDLE_SECONDS} (a day), got {idle_seconds!r}.")


def _check_kind(target: Any, vm_size: str, *, low_priority: bool) -> None:
    if target.type != "AmlCompute":
        raise SettingsError(f"{target.name!r} exists and is not a cluster, but a {target.type}. Choose another name.")
    priority = "lowpriority" if low_priority else "dedicated"
    there = (target.vm_size.lower(), (target.vm_priority or "dedicated").lower())
    if there != (vm_size.lower(), priority):
        raise SettingsError(
            f"The cluster {target.name!r} exists and has {target.vm_size}, {there[1]}, not {vm_size}, {priority}. "
            f"Choose another name, or pass the size and priority that it has."
        )


def _find(workspace: Any, name: str) -> Any:
    """The client's object; None if the workspace has none of that name."""
    from azureml.core.compute import ComputeTarget
    from azureml.exceptions import ComputeTargetException

    try:
        return ComputeTarget(workspace, name)
    except ComputeTargetException as error:
        if "ComputeTargetNotFound" not in str(error):
            raise SettingsError(f"compute: {name!r} cannot be read: {_shorten(str(error))}") from error
        return None


def _unknown_size(vm_size: str, sizes: dict[str, Any], location: str) -> str:
    with_gpu = sorted(size["name"] for size in sizes.values() if size.get("gpus"))
    sizes_with_gpu = ", ".join(with_gpu) or "none"
    return f"vm_size: {location} has no machines of {vm_size!r} for Azure ML. Sizes with GPUs: {sizes_with_gpu}."


def _refusal(name: str, error: str) -> str:
    hint = f" {_QUOTA_HINT}" if "quota" in error.lower() else ""
    return f"The cluster {name!r} could not be created: {_shorten(error)}{hint}"


def _shorten(error: str) -> str:
    return " ".join(redacted(error).split())[:500]
