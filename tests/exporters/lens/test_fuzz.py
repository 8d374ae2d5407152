"""Seeded mutations of a bundle's project: each is reported by name or harmless, none is a crash."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

import mobile_nelf
from mobile_nelf.bundles.create import create_bundle
from mobile_nelf.bundles.manifest import FileRecord, read_manifest
from mobile_nelf.errors import MnelfError
from mobile_nelf.export.parity import ParityLeg
from mobile_nelf_exporters.lens.runtimes import LENS_MIN_PSNR_DB
from tests.helpers.lens.lint_projects import TINY
from tests.helpers.lens.mutations import KINDS, Mutation, mutations
from tests.helpers.node import needs_node
from tests.helpers.students import random_checkpoint

PROJECT = "lens_project"
#: `rays` has one input of few channels, which keeps the metas short.
LAYOUT = {"layout": "rays"}

#: Nothing of a bundle can change under its hashes.
PLAIN_MUTATIONS = 520
#: Made at once where they touch different files: hashes are compared file by file.
MUTATIONS_AT_ONCE = 8
#: With the hashes made anew, all that is left is what the files say and what the lens draws.
SIGNED_MUTATIONS = len(KINDS)
MANY_SIGNED_MUTATIONS = 500


@pytest.fixture(scope="module")
def bundle(tmp_path_factory) -> Path:
    output = tmp_path_factory.mktemp("fuzz") / "thing"
    checkpoint = random_checkpoint(**TINY)
    create_bundle(checkpoint, target="lens", output=output, options=LAYOUT)
    return output


@pytest.fixture(scope="module")
def other_models(tmp_path_factory) -> dict[str, bytes]:
    """Models of other students, by what is different in them."""
    folder = tmp_path_factory.mktemp("others")
    models = {}
    for name, seed, changes in (("weights", 7, {}), ("grid", 0, {"ray_width": 5})):
        checkpoint = random_checkpoint(seed, **{**TINY, **changes})
        path = create_bundle(checkpoint, target="lens", output=folder / name, options=LAYOUT).path
        models[name] = (path / PROJECT / "Assets/model.onnx").read_bytes()
    return models


@pytest.fixture(scope="module")
def project_files(bundle) -> dict[str, bytes]:
    """What Lens Studio reads; `.gitignore` is for Git alone."""
    paths = [path for path in (bundle / PROJECT).rglob("[!.]*") if path.is_file()]
    return {path.relative_to(bundle).as_posix(): path.read_bytes() for path in paths}


@pytest.fixture
def mutated(bundle, project_files, tmp_path) -> Callable[[Mutation, bool], Path]:
    """Makes a mutation in one copy of the bundle, which is put right again before the next."""
    copy = tmp_path / "copy"
    shutil.copytree(bundle, copy)
    manifest = (copy / "manifest.json").read_bytes()
    touched: set[str] = set()

    def write(path: str, content: bytes | None) -> None:
        if content is None:
            (copy / path).unlink(missing_ok=True)
        else:
            (copy / path).write_bytes(content)

    def make(mutation: Mutation, sign: bool) -> Path:
        (copy / "manifest.json").write_bytes(manifest)
        for path in touched:
            write(path, project_files.get(path))
        touched.clear()
        touched.update(mutation.changed)
        for path, content in mutation.changed.items():
            write(path, content)
        if sign:
            _sign(copy)
        return copy

    return make


def _sign(bundle: Path) -> None:
    """Writes the manifest that a forger would: every record fits the files as they are."""
    manifest = read_manifest(bundle)
    listed = {name for name in manifest.files if not name.startswith(PROJECT)}
    found = (path for path in (bundle / PROJECT).rglob("*") if path.is_file())
    listed |= {path.relative_to(bundle).as_posix() for path in found}
    records = {name: FileRecord.of((bundle / name).read_bytes()) for name in sorted(listed)}
    (bundle / "manifest.json").write_bytes(replace(manifest, files=records).to_bytes())


def _verify(bundle: Path) -> tuple[list[str], tuple[ParityLeg, ...]]:
    """What `verify` says, and the legs that ran; a typed error is an answer like any other."""
    try:
        verification = mobile_nelf.verify(bundle, run_scripts=True)
    except MnelfError as error:
        return [str(error)], ()
    unlisted = [f"{name}: unlisted" for name in verification.unlisted]
    return [*verification.problems, *unlisted], verification.legs


def _at_once(made: Iterable[Mutation]) -> list[list[Mutation]]:
    """Groups of mutations of different files."""
    groups: list[list[Mutation]] = []
    for mutation in made:
        for group in groups:
            taken = {path for other in group for path in other.changed}
            if len(group) < MUTATIONS_AT_ONCE and taken.isdisjoint(mutation.changed):
                group.append(mutation)
                break
        else:
            groups.append([mutation])
    return groups


def _check(made: Iterable[Mutation], make: Callable[[Mutation, bool], Path]) -> Counter[str]:
    """Signed mutations are reported, or the lens still draws the student's pictures."""
    outcomes: Counter[str] = Counter()
    for mutation in made:
        complaints, legs = _verify(make(mutation, True))
        if complaints:
            outcomes["reported"] += 1
            continue
        drawn = [leg for leg in legs if leg.artefact == PROJECT]
        assert drawn, (mutation.kind, "the lens did not run")
        assert all(leg.passed and leg.psnr_db >= LENS_MIN_PSNR_DB - 1 for leg in drawn)
        outcomes["harmless"] += 1
    return outcomes


def test_the_untouched_bundle_has_nothing_to_report(bundle):
    assert _verify(bundle)[0] == []


def test_every_kind_finds_something_to_mutate(project_files, other_models):
    made = mutations(project_files, other_models, range(PLAIN_MUTATIONS))
    assert {mutation.kind for mutation in made} == set(KINDS)


def test_mutations_are_seeded(project_files, other_models):
    made = [list(mutations(project_files, other_models, range(40, 80))) for _ in range(2)]
    assert made[0] == made[1]


def test_every_mutation_is_reported_with_its_file(project_files, other_models, mutated):
    made = list(mutations(project_files, other_models, range(PLAIN_MUTATIONS)))
    groups = _at_once(made)
    assert sum(map(len, groups)) == PLAIN_MUTATIONS
    for group in groups:
        changed = {path: content for each in group for path, content in each.changed.items()}
        kinds = ", ".join(each.kind for each in group)
        complaints, _ = _verify(mutated(Mutation(kinds, changed), False))
        # The colon: the path of a meta begins with that of its file.
        named = {path for path in changed for line in complaints if line.startswith(f"{path}:")}
        assert named == changed.keys(), (kinds, complaints)


@pytest.mark.slow
@needs_node
def test_signed_mutations_are_reported_or_change_no_picture(project_files, other_models, mutated):
    made = list(mutations(project_files, other_models, range(SIGNED_MUTATIONS)))
    outcomes = _check(made, mutated)
    assert outcomes["reported"] > len(made) / 2


@pytest.mark.slow
@needs_node
def test_many_signed_mutations(project_files, other_models, mutated):
    seeds = range(SIGNED_MUTATIONS, SIGNED_MUTATIONS + MANY_SIGNED_MUTATIONS)
    outcomes = _check(mutations(project_files, other_models, seeds), mutated)
    assert outcomes["reported"] > MANY_SIGNED_MUTATIONS / 2
