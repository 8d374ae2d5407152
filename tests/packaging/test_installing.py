"""What is installed: pinned by constraints.txt, from wherever the machine's own settings say."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import chain

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

#: Files of git that install something or run unattended.
INSTALLING = (
    "Makefile",
    "constraints.txt",
    "pyproject.toml",
    "*.sh",
    "*.npmrc",
    "*package.json",
    "*package-lock.json",
    ".ci/*",
    ".github/*",
)


@pytest.fixture(scope="module")
def pinned() -> list[Requirement]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if not line.startswith("#")]


def test_what_installs_names_no_host() -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *INSTALLING],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {"Makefile", "constraints.txt", "ios_harness/linux/setup_toolchain.sh"} <= set(listed)
    for name in listed:
        text = (ROOT / name).read_text(encoding="utf-8")
        assert not re.findall(r"\w+://\S*", text), name


def test_the_lock_holds_one_version_of_each_package_for_a_machine(pinned) -> None:
    for pin in pinned:
        assert pin.url is None
        assert re.fullmatch(r"==[^*]+", str(pin.specifier)), pin
    for python in ("3.10", "3.11", "3.12", "3.13"):
        for system, machine in (("linux", "x86_64"), ("darwin", "arm64")):
            environment = {
                "python_version": python,
                "python_full_version": f"{python}.9",
                "sys_platform": system,
                "platform_machine": machine,
                "os_name": "posix",
            }
            here = [
                canonicalize_name(pin.name)
                for pin in pinned
                if pin.marker is None or pin.marker.evaluate(environment)
            ]
            assert len(here) == len(set(here))


def test_the_lock_satisfies_what_is_declared(pinned) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = chain(project["dependencies"], *project["optional-dependencies"].values())
    for requirement in map(Requirement, declared):
        name = canonicalize_name(requirement.name)
        if name == project["name"]:
            continue
        pins = [pin for pin in pinned if canonicalize_name(pin.name) == name]
        assert pins, f"{name} is not in constraints.txt; run make lock"
        for pin in pins:
            (version,) = (clause.version for clause in pin.specifier)
            assert requirement.specifier.contains(version, prereleases=True), pin
