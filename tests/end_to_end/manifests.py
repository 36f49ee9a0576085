"""The Kubernetes manifests in deploy/kubernetes, read as files or as kubectl renders them."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

FOLDER = Path(__file__).resolve().parents[2] / "deploy" / "kubernetes"
Document = dict[str, Any]


def documents() -> list[Document]:
    """All documents of the base, as the files have them: without the namespace and tags that kustomize adds."""
    (kustomization,) = read(FOLDER / "base" / "kustomization.yaml")
    return [one for name in kustomization["resources"] for one in read(FOLDER / "base" / name)]


def read(path: Path) -> list[Document]:
    """The documents of one file."""
    return list(yaml.safe_load_all(path.read_text()))


def rendered(name: str) -> list[Document]:
    """The documents that `kubectl kustomize` makes of the base or an overlay. Skips where it cannot."""
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    version = json.loads(run(kubectl, "version", "--client", "--output", "json"))["clientVersion"]
    minor = int(version["minor"].rstrip("+"))
    if name != "base" and minor < 21:
        pytest.skip(f"kubectl 1.{minor} reads no overlays such as ours; from 1.21 on it does")
    return list(yaml.safe_load_all(run(kubectl, "kustomize", str(FOLDER / name))))


def run(*command: str) -> str:
    """What a command prints."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def of_kind(found: list[Document], kind: str) -> dict[str, Document]:
    """The documents of a kind by name."""
    return {one["metadata"]["name"]: one for one in found if one["kind"] == kind}


def pods(found: list[Document]) -> dict[str, Document]:
    """The pod that each Deployment describes, by the name of its service: `scheduler`, `worker` …"""
    deployments = of_kind(found, "Deployment")
    return {name.removeprefix("warpcore-"): one["spec"]["template"]["spec"] for name, one in deployments.items()}


def variables(container: Document) -> dict[str, str]:
    """The environment that a container gets, in a pod called `pod-1` of the namespace `warpcore`."""
    known = {"metadata.name": "pod-1", "metadata.namespace": "warpcore"}
    known |= {f"requests.{name}": value for name, value in container["resources"]["requests"].items()}
    return {one["name"]: one["value"] if "value" in one else known[_source(one)] for one in container.get("env", [])}


def _source(variable: Document) -> str:
    (reference,) = variable["valueFrom"].values()
    return str(reference.get("fieldPath") or reference["resource"])


def arguments(container: Document) -> list[str]:
    """The arguments of a container, with variables put in as Kubernetes does: `$(NAME)`."""
    values = variables(container)
    return [re.sub(r"\$\((\w+)\)", lambda found: values[found[1]], one) for one in container.get("args", [])]


def containers(found: list[Document]) -> Iterator[tuple[str, Document]]:
    """Every container with the name of its pod, those that come first included."""
    for name, pod in pods(found).items():
        for container in (*pod.get("initContainers", []), *pod["containers"]):
            yield name, container
