"""One clear line for each way in which there is no NVIDIA GPU to compute on."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from warpcore.services.worker.backends import Found, has_driver, has_plugin, misfit
from warpcore.services.worker.devices import DeviceError, FullError, not_opened

CPU = Found("cpu", "", "cpu")
H100 = Found("gpu", "PJRT C API\ncuda 12080", "NVIDIA H100")


@pytest.mark.parametrize(
    ("found", "told"),
    [
        (Found("gpu", "PJRT C API\nrocm 60300", "AMD Instinct MI300X"), ("AMD GPU (ROCm)", "AMD Instinct MI300X")),
        (Found("rocm", "", "gfx942"), ("AMD GPU (ROCm)", "gfx942")),
        (Found("METAL", "", "Apple M3"), ("METAL", "Apple M3")),
        (Found("tpu", "", "TPU v5e"), ("tpu", "TPU v5e")),
    ],
)
@pytest.mark.parametrize("wants_gpu", [True, False])
def test_other_devices_are_named_and_what_to_do_instead(found: Found, told: tuple[str, ...], wants_gpu: bool) -> None:
    line = misfit(wants_gpu, found, plugin=False, driver=False)
    assert line is not None
    assert "\n" not in line
    for words in (*told, "warpcore[cuda]", "--device cpu"):
        assert words in line


@pytest.mark.parametrize(
    ("plugin", "driver", "told"),
    [
        (True, False, "driver does not run"),
        (False, False, "driver does not run"),
        (False, True, "pip install 'warpcore[cuda]'"),
        (True, True, "CUDA_VISIBLE_DEVICES"),
    ],
)
def test_what_a_gpu_needs_is_told_where_one_was_asked_for(plugin: bool, driver: bool, told: str) -> None:
    line = misfit(True, CPU, plugin, driver)
    assert line is not None
    assert told in line
    assert "--device cpu" in line
    assert misfit(False, CPU, plugin, driver) is None


@pytest.mark.parametrize("wants_gpu", [True, False])
def test_an_nvidia_gpu_is_used(wants_gpu: bool) -> None:
    assert misfit(wants_gpu, H100, plugin=True, driver=True) is None


@pytest.mark.parametrize("name", ["xla_cuda12", "xla_cuda13"])
def test_a_plugin_is_found_where_jax_looks_for_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "jax_plugins" / name).mkdir(parents=True)
    (tmp_path / "jax_plugins" / name / "__init__.py").write_text("raise ImportError('not to be loaded')")
    program = "from warpcore.services.worker.backends import has_plugin; print(has_plugin())"

    def answer() -> str:
        command, environment = [sys.executable, "-c", program], {**os.environ, "PYTHONPATH": str(tmp_path)}
        return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.strip()

    assert answer() == "True"
    (tmp_path / "jax_plugins" / name).rename(tmp_path / "jax_plugins" / "xla_rocm7")
    assert answer() == str(has_plugin()), "as without it"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("RESOURCE_EXHAUSTED: CUDA_ERROR_OUT_OF_MEMORY", FullError),
        ("Unable to initialize backend 'cuda': INTERNAL: no supported devices found\nmore", DeviceError),
        ("", DeviceError),
    ],
)
def test_a_gpu_that_cannot_be_opened_is_told_in_one_line(text: str, kind: type[DeviceError]) -> None:
    """For `auto`, so that it does not depend on which plugin is installed here."""
    error = not_opened("auto", text)
    assert type(error) is kind
    assert "\n" not in str(error)
    assert "see nvidia-smi" in str(error)


@pytest.mark.skipif(has_driver(), reason="this host has a GPU")
@pytest.mark.parametrize("arguments", [("worker",), ("process", "a.mrc", "--processing", "out")])
def test_a_gpu_that_is_not_there_ends_a_command_with_one_line(arguments: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "warpcore.cli.main", *arguments, "--device", "cuda:0"]
    environment = {**os.environ, "WARPCORE_CACHE": str(tmp_path / "cache")}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (78 if arguments == ("worker",) else 1)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("warpcore: device cuda:0: NVIDIA's driver does not run on this host")
    assert "Traceback" not in done.stderr
