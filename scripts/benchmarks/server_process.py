"""Servers under measurement, each in a process of its own."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.load_http import Target

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
_READY_SECONDS = 60
_STOP_SECONDS = 30


class BenchmarkFailed(Exception):
    """Nothing could be measured; the message says why."""


class Running(msgspec.Struct, frozen=True):
    """A server that answers."""

    pid: int
    port: int

    def target(self, path: str) -> Target:
        return Target(HOST, self.port, path, self.pid)


@contextmanager
def campfire_server(data: Path, **settings: str) -> Iterator[Running]:
    """`campfire serve` on `data` and a free port, with no worker beside it; stopped at the end.

    `settings` by their names without `CAMPFIRE_`.
    """
    port = free_port()
    environment = _environment(data, {"HOST": HOST, "PORT": str(port), "LINK_PREVIEWS": "off", **settings})
    said = data.with_suffix(".log")
    with said.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "campfire.cli", "serve"], env=environment, stdout=output, stderr=output
        )
        with _stopped_at_the_end(process):
            _wait_until_ready(process, port, said)
            yield Running(process.pid, port)


@contextmanager
def outbox_worker(data: Path, **settings: str) -> Iterator[int]:
    """`campfire-outbox run` on `data`, with receivers on the loopback allowed; its pid. Stopped at the end."""
    said = data.with_suffix(".worker.log")
    with said.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "outbox.cli", "run"],
            env=_environment(data, settings),
            stdout=output,
            stderr=output,
        )
        with _stopped_at_the_end(process):
            yield process.pid


@contextmanager
def bare_server(module: str, *arguments: str) -> Iterator[Running]:
    """One of our own measuring servers, which prints its port when it listens; stopped at the end."""
    process = subprocess.Popen(
        [sys.executable, "-m", f"benchmarks.{module}", *arguments], env=module_environment(), stdout=subprocess.PIPE
    )
    with _stopped_at_the_end(process):
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise BenchmarkFailed(f"benchmarks.{module} did not start")
        yield Running(process.pid, int(line))


def module_environment() -> dict[str, str]:
    """The environment in which `python -m benchmarks.…` finds itself."""
    return os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT / "scripts"), str(ROOT)))}


def generate(module: str, load: msgspec.Struct) -> bytes:
    """Run a load generator in a process of its own and return what it found. Raises `BenchmarkFailed`."""
    ended = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{module}"],
        input=msgspec.json.encode(load, enc_hook=str),
        capture_output=True,
        env=module_environment(),
        check=False,
    )
    if ended.returncode:
        raise BenchmarkFailed(f"benchmarks.{module}: {ended.stderr.decode(errors='replace').strip()}")
    return ended.stdout


@contextmanager
def _stopped_at_the_end(process: subprocess.Popen[bytes]) -> Iterator[None]:
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, said: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/health/ready", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    last_words = said.read_text(errors="replace")[-2000:]
    raise BenchmarkFailed(f"campfire serve did not become ready; it said:\n{last_words}")


def _environment(data: Path, settings: dict[str, str]) -> dict[str, str]:
    """Nothing of a Campfire that the person who measures may have configured for themselves."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CAMPFIRE_")}
    ours = {"DATA": str(data), "OUTBOX": "external", "WEBHOOK_ALLOW": "127.0.0.0/8", **settings}
    return environment | {"PYTHONPATH": str(ROOT)} | {f"CAMPFIRE_{name}": value for name, value in ours.items()}


def free_port() -> int:
    """A port of the loopback that nobody listened on just now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])
