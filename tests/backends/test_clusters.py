"""Clusters of Azure ML: the real client, in a process of its own, against a stand-in of the service."""

import json
from typing import Any

import pytest
from azureml_processes import run
from azureml_service import Request, running

pytestmark = pytest.mark.azureml

ENSURE = "print(ensure_cluster(workspace, {arguments}))"


@pytest.fixture
def service(tmp_path):
    with running(tmp_path) as service:
        yield service


def refusals(service: Any, *calls: str) -> list[str]:
    """The error message of each call."""
    script = "for call in CALLS:\n    try:\n        ensure_cluster(workspace, **call)\n"
    script += "    except SettingsError as error:\n        print('refused:', error)\n"
    calls_text = ", ".join(f"dict({call})" for call in calls)
    out = run(service, f"CALLS = [{calls_text}]\n{script}")
    return [line for line in out.splitlines() if line.startswith("refused:")]


def test_a_cluster_is_created_once_and_then_found(service):
    arguments = "'gpu-cluster', max_nodes=4, low_priority=True, idle_seconds=120"
    out = run(service, (ENSURE + "\n").format(arguments=arguments) * 2)
    first, second = [line for line in out.splitlines() if line.startswith("Cluster(")]
    assert "gpus=1" in first
    assert "created=True" in first
    assert second == first.replace("created=True", "created=False")
    (sent,) = service.sent("PUT", "/computes/gpu-cluster")
    properties = json.loads(sent.body)["properties"]
    assert properties["computeType"] == "AmlCompute"
    assert properties["properties"]["vmSize"] == "STANDARD_NC4AS_T4_V3"
    assert properties["properties"]["vmPriority"] == "lowpriority"
    assert properties["properties"]["remoteLoginPortPublicAccess"] == "Disabled"
    scale = properties["properties"]["scaleSettings"]
    assert (scale["minNodeCount"], scale["maxNodeCount"], scale["nodeIdleTimeBeforeScaleDown"]) == (0, 4, "PT120S")


def test_a_cluster_of_another_kind_is_refused(service):
    service.add_cluster("dear", vm_size="STANDARD_ND96ASR_V4")
    service.add_cluster("there")
    service.targets["machine"] = service.targets["there"] | {
        "name": "machine",
        "properties": service.targets["there"]["properties"] | {"computeType": "ComputeInstance", "applications": []},
    }
    messages = refusals(service, "name='dear'", "name='there', low_priority=True")
    assert "exists and has STANDARD_ND96ASR_V4, dedicated, not STANDARD_NC4AS_T4_V3, dedicated" in messages[0]
    assert "not STANDARD_NC4AS_T4_V3, lowpriority" in messages[1]
    assert not service.sent("PUT", "/computes/")


def test_invalid_arguments_send_no_request(service):
    messages = refusals(
        service,
        "name='1st'",
        "name='a'",
        "name='my_cluster'",
        "name='x' * 25",
        "name='cluster', max_nodes=0",
        "name='cluster', idle_seconds=0",
        "name='cluster', vm_size='Standard_NC6'",
    )
    assert len(messages) == 7
    assert "Sizes with GPUs: Standard_NC4as_T4_v3, Standard_ND96asr_v4." in messages[-1]
    assert not service.sent("PUT", "/computes/")


@pytest.mark.parametrize("when", ["at once", "later"])
def test_an_error_about_the_quota_has_a_hint(service, when):
    """A new subscription has no cores of GPU machines, and the client's message is a page of headers."""
    message = "The specified subscription has a StandardNCASv3_T4Family vCPU quota of 0, token=c2VjcmV0"

    def fault(request: Request) -> tuple[int, str] | None:
        return (409, message) if request.method == "PUT" and when == "at once" else None

    service.fault = fault
    if when == "later":
        service.operation = {"status": "Failed", "error": {"statusCode": 409, "message": message}}
    (refusal,) = refusals(service, "name='gpu-cluster'")
    assert "vCPU quota of 0" in refusal
    assert "Azure portal, Azure Machine Learning, Quotas" in refusal
    assert "c2VjcmV0" not in refusal
