"""The manifests in deploy/kubernetes: what Kubernetes, KEDA and our own command line take, and what they promise."""

from __future__ import annotations

import copy
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema
import pytest
import yaml
from keda_schema import SCHEMAS
from manifests import FOLDER, Document, arguments, containers, documents, of_kind, pods, read, rendered
from typer.main import get_command

from warpcore.cli.main import app
from warpcore.services.api.access.rules import needed_role
from warpcore.services.api.views import StatusView
from warpcore.services.process.alive import VARIABLE

DOCUMENTS = documents()
PODS = pods(DOCUMENTS)
CONTAINERS = list(containers(DOCUMENTS))
SERVICES = ("scheduler", "api", "discoverer", "tracker")
OLDEST_KUBERNETES, NEWEST_KUBERNETES = "1.25", "1.37"
"""Oldest that `kubernetes-validate` has the schemas of, and newest known when this was written."""
NOT_ROOT = 10001
"""The user whom deploy/container/Containerfile makes."""
WITHOUT_OPTION = {VARIABLE, "WARPCORE_CACHE"}


def commands() -> list[tuple[str, list[str]]]:
    """Each run of `warpcore` that is not part of a script: its pod, and its arguments."""
    return [(name, arguments(one)) for name, one in CONTAINERS if "args" in one]


def problem(document: Document, version: str = NEWEST_KUBERNETES) -> str:
    """Why Kubernetes or KEDA would refuse a document; empty where they take it. Unknown fields are refused."""
    validate = pytest.importorskip("kubernetes_validate", reason="of the extra `test`")
    try:
        if document["kind"] in SCHEMAS:
            jsonschema.validate(document, SCHEMAS[document["kind"]])
        else:
            validate.validate(document, version, strict=True)
    except jsonschema.ValidationError as error:
        return f"{document['metadata']['name']}: {error.json_path}: {error.message[:300]}"
    return ""


@pytest.mark.parametrize("version", [OLDEST_KUBERNETES, NEWEST_KUBERNETES])
def test_kubernetes_and_keda_take_every_document(version: str) -> None:
    assert [told for one in DOCUMENTS if (told := problem(one, version))] == []


def test_kubectl_renders_the_base_as_its_files_say() -> None:
    made = rendered("base")
    assert {(one["kind"], one["metadata"]["name"]) for one in made} == {
        (one["kind"], one["metadata"]["name"]) for one in DOCUMENTS
    }
    assert {one["metadata"].get("namespace") for one in made if one["kind"] != "Namespace"} == {"warpcore"}
    assert [told for one in made if (told := problem(one))] == []
    images = {container["image"] for _, container in containers(made)}
    assert all(re.fullmatch(r"warpcore:[\d.]+", image) for image in images), images


def test_the_overlay_gives_each_worker_a_gpu_and_changes_nothing_else() -> None:
    made, base = rendered("gpu"), rendered("base")
    assert [told for one in made if (told := problem(one))] == []
    worker, before = pods(made)["worker"], pods(base)["worker"]
    (container,) = worker["containers"]
    assert container["resources"]["limits"] == {"memory": "32Gi", "nvidia.com/gpu": "1"}
    assert {"name": "WARPCORE_DEVICE", "value": "cuda"} in container["env"]
    assert all(re.fullmatch(r"warpcore-cuda:[\d.]+", one["image"]) for one in (*worker["initContainers"], container))
    assert container["args"] == before["containers"][0]["args"]
    others = [[one for one in found if one["metadata"]["name"] != "warpcore-worker"] for found in (made, base)]
    assert others[0] == others[1]


def test_the_overlays_of_the_document_are_taken(tmp_path: Path) -> None:
    """The site's own, and with what it says of a second session."""
    first, second = re.findall(r"```yaml\n(.*?)```", (FOLDER.parents[1] / "docs" / "containers.md").read_text(), re.S)
    site = yaml.safe_load(first)
    (base,) = site["resources"]
    site["resources"] = [os.path.relpath(FOLDER.parents[1] / base.removeprefix("../"), tmp_path.resolve())]
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(site))
    made = rendered(str(tmp_path))
    assert [told for one in made if (told := problem(one))] == []
    assert of_kind(made, "ScaledObject")["warpcore-worker"]["spec"]["maxReplicaCount"] == 8
    assert of_kind(made, "PersistentVolumeClaim")["warpcore-data"]["spec"]["volumeName"] == "krios1-movies"
    assert {one["image"].rpartition("/")[0] for _, one in containers(made)} == {"registry.lab.example"}
    other = yaml.safe_load(second)
    site |= {"namespace": other["namespace"], "patches": site["patches"] + other["patches"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(site))
    made = rendered(str(tmp_path))
    assert {one["metadata"].get("namespace") for one in made if one["kind"] != "Namespace"} == {"krios2"}
    assert list(of_kind(made, "Namespace")) == ["krios2"]
    assert "warpcore-api.krios2.svc" in str(of_kind(made, "ScaledObject"))


@pytest.mark.parametrize(
    ("kind", "path", "value"),
    [
        ("Deployment", ("spec", "template", "spec", "restartPolice"), "Always"),
        ("Deployment", ("spec", "template", "spec", "securityContext", "runAsUser"), "warpcore"),
        ("PodDisruptionBudget", ("spec", "maxUnavailible"), 1),
        ("ScaledObject", ("spec", "minReplicas"), 0),
        ("TriggerAuthentication", ("spec", "secretTargetRef"), []),
    ],
)
def test_a_wrong_document_would_be_noticed(kind: str, path: tuple[str, ...], value: Any) -> None:
    wrong = copy.deepcopy(next(one for one in DOCUMENTS if one["kind"] == kind))
    place = wrong
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = value
    assert problem(wrong)


def test_every_command_line_is_one_that_warpcore_takes() -> None:
    assert {name for name, _ in commands()} == {*SERVICES, "worker"}
    for name, words in commands():
        assert words[0] == name
        get_command(app).commands[name].make_context(name, words[1:])  # type: ignore[attr-defined]


def test_a_command_line_that_warpcore_does_not_take_would_be_noticed() -> None:
    with pytest.raises(Exception, match="No such option: --port"):
        get_command(app).commands["tracker"].make_context("tracker", ["--processing=/p", "--port=1"])  # type: ignore[attr-defined]


def test_every_variable_is_one_that_warpcore_reads() -> None:
    for name, container in CONTAINERS:
        command = get_command(app).commands[name]  # type: ignore[attr-defined]
        known = {str(option.envvar) for option in command.params} | WITHOUT_OPTION
        if name == "scheduler":
            known |= {"WARPCORE_KEY"}  # for commands that are run in its container
        named = {one["name"] for one in container.get("env", []) if one["name"].startswith("WARPCORE_")}
        assert named <= known, name


def test_ports_are_those_at_which_the_services_listen() -> None:
    found = of_kind(DOCUMENTS, "Service")
    assert set(found) == {"warpcore-scheduler", "warpcore-api"}
    for service in found.values():
        name = service["spec"]["selector"]["app.kubernetes.io/name"].removeprefix("warpcore-")
        listens = {one["name"]: one["containerPort"] for one in PODS[name]["containers"][0]["ports"]}
        options = get_command(app).commands[name].params  # type: ignore[attr-defined]
        own = "port$" if name == "scheduler" else "^port$"  # the API connects to the others
        assert set(listens.values()) == {one.default for one in options if re.search(own, one.name)}
        assert all(one["port"] == listens[one["targetPort"]] for one in service["spec"]["ports"])
        assert {one["targetPort"] for one in service["spec"]["ports"]} == set(listens)
    hosts = {word for _, words in commands() for word in words if word.startswith("--scheduler=")}
    assert hosts == {"--scheduler=warpcore-scheduler"}


@pytest.mark.parametrize("name", PODS)
def test_each_service_has_probes_that_need_no_token(name: str) -> None:
    (container,) = PODS[name]["containers"]
    probes = [container[kind] for kind in ("startupProbe", "livenessProbe", "readinessProbe")]
    for probe in probes:
        if "httpGet" in probe:
            assert needed_role("GET", probe["httpGet"]["path"]) is None
            assert probe["httpGet"]["port"] in {one["name"] for one in container["ports"]}
        elif "tcpSocket" in probe:
            assert probe["tcpSocket"]["port"] in {one["name"] for one in container["ports"]}
        else:
            (alive,) = [one["value"] for one in container["env"] if one["name"] == VARIABLE]
            assert any(alive in word for word in probe["exec"]["command"])
    start, live, _ = probes
    assert start["periodSeconds"] * start["failureThreshold"] >= 120  # s, before the liveness probe counts
    assert live["periodSeconds"] * live["failureThreshold"] >= 60


@pytest.mark.parametrize(("name", "container"), CONTAINERS, ids=[f"{name}-{one['name']}" for name, one in CONTAINERS])
def test_containers_have_few_rights_and_known_needs(name: str, container: Document) -> None:
    pod = PODS[name]["securityContext"]
    assert pod["runAsNonRoot"]
    assert pod["runAsUser"] == NOT_ROOT
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {*container["resources"]["requests"]} == {"cpu", "memory"}
    assert "memory" in container["resources"]["limits"]
    assert not PODS[name]["automountServiceAccountToken"]
    assert not PODS[name]["enableServiceLinks"]


def test_movies_can_only_be_read_and_all_that_is_written_lies_in_volumes() -> None:
    claims = of_kind(DOCUMENTS, "PersistentVolumeClaim")
    assert claims["warpcore-processing"]["spec"]["accessModes"] == ["ReadWriteMany"]
    for name, container in CONTAINERS:
        volumes = {one["name"]: one for one in PODS[name]["volumes"]}
        claimed = [one["persistentVolumeClaim"] for one in volumes.values() if "persistentVolumeClaim" in one]
        assert {one["claimName"] for one in claimed} <= set(claims)
        mounts = {one["mountPath"]: one for one in container["volumeMounts"]}
        assert all(one["name"] in volumes for one in mounts.values())
        assert mounts.get("/data", {"readOnly": True})["readOnly"]


def test_what_owns_state_never_runs_twice_and_keda_alone_counts_workers() -> None:
    found = of_kind(DOCUMENTS, "Deployment")
    for name in SERVICES:
        assert found[f"warpcore-{name}"]["spec"]["replicas"] == 1
        assert found[f"warpcore-{name}"]["spec"]["strategy"] == {"type": "Recreate"}
    assert "replicas" not in found["warpcore-worker"]["spec"]


def test_budgets_cover_every_pod_once() -> None:
    budgets = of_kind(DOCUMENTS, "PodDisruptionBudget")
    for deployment in of_kind(DOCUMENTS, "Deployment").values():
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()
        assert sum(_selects(one["spec"]["selector"], labels) for one in budgets.values()) == 1
    assert {one["spec"]["maxUnavailable"] for one in budgets.values()} == {1}


def _selects(selector: Document, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels", {}).items() <= labels.items()
    for one in selector.get("matchExpressions", []):
        wanted &= (labels.get(one["key"]) in one["values"]) == (one["operator"] == "In")
    return bool(wanted)


def test_keda_scales_the_workers_from_none_by_the_backlog() -> None:
    (scaled,) = of_kind(DOCUMENTS, "ScaledObject").values()
    assert scaled["spec"]["scaleTargetRef"]["name"] in of_kind(DOCUMENTS, "Deployment")
    assert scaled["spec"]["minReplicaCount"] == 0
    (trigger,) = scaled["spec"]["triggers"]
    url = urlsplit(trigger["metadata"]["url"])
    (kustomization,) = read(FOLDER / "base" / "kustomization.yaml")
    assert url.hostname == f"warpcore-api.{kustomization['namespace']}.svc"
    assert url.port == of_kind(DOCUMENTS, "Service")["warpcore-api"]["spec"]["ports"][0]["port"]
    assert trigger["metadata"]["valueLocation"] in StatusView.__struct_fields__
    assert trigger["authenticationRef"]["name"] in of_kind(DOCUMENTS, "TriggerAuthentication")


def test_no_secret_is_in_the_manifests() -> None:
    assert not of_kind(DOCUMENTS, "Secret")
    text = "\n".join(path.read_text() for path in FOLDER.rglob("*.yaml"))
    # Keys have 40 characters and tokens more (`services/access`): no word here is as long, but for paths and names.
    long = re.findall(r"[^\s\"',]{32,}", text)
    assert [word for word in long if not re.search("[/:]|warpcore", word)] == []
