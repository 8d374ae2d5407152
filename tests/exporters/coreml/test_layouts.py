"""A bundle with a package for each input layout, of which each is proved by itself."""

from __future__ import annotations

import json

import pytest

from mobile_nelf.bundles import create_bundle, verify_bundle
from mobile_nelf.deploy.layouts import LAYOUTS
from mobile_nelf.errors import BundleError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf_exporters.coreml.checks import check_package
from mobile_nelf_exporters.coreml.layouts import in_layout, package_contract
from mobile_nelf_exporters.coreml.package.package import read_package
from tests.helpers.students import random_checkpoint

NAMES = ("thing", "thing-rays", "thing-camera", "thing-embedded")


@pytest.fixture(scope="module")
def bundle(tmp_path_factory):
    return create_bundle(
        random_checkpoint(ray_width=6, ray_height=5, sr_widths=(8,)),
        target="coreml",
        output=tmp_path_factory.mktemp("bundles") / "thing",
        options={"every_layout": True},
    )


@pytest.fixture(scope="module")
def packages(bundle):
    files = {
        path.relative_to(bundle.path).as_posix(): path.read_bytes()
        for path in bundle.path.rglob("*")
        if path.is_file()
    }
    return {name: read_package(files, f"{name}.mlpackage") for name in NAMES}


@pytest.mark.slow
def test_every_layout_is_compared_and_verified_again(bundle):
    legs = [leg for leg in bundle.manifest.parity if leg.artefact]
    for name in NAMES:
        # The main one has GELU from a table as well.
        exact, emulated, *table = (leg for leg in legs if leg.artefact == f"{name}.mlpackage")
        assert bool(table) == (name == "thing")
        assert exact.passed
        assert emulated.passed
    assert len({leg.name for leg in legs}) == len(legs) == 2 * len(NAMES) + 1
    assert verify_bundle(bundle.path).passed


@pytest.mark.slow
def test_packages_say_their_layout_and_the_readme_lists_it(bundle, packages):
    found = {
        name: package_contract(package, bundle.manifest.contract)
        for name, package in packages.items()
    }
    assert {contract.layout for contract in found.values()} == {each.name for each in LAYOUTS}
    assert [found[name].inputs[0].dtype for name in NAMES] == ["fp16", "fp32", "fp32", "fp16"]
    readme = (bundle.path / "README.md").read_text(encoding="utf-8")
    for name in NAMES:
        (line,) = (line for line in readme.splitlines() if line.startswith(f"| `{name}.mlp"))
        assert f"layout {found[name].layout}" in line


def test_the_app_measures_them_all(bundle):
    path = bundle.path / "ios_harness/thing.swiftpm/Resources/bench.json"
    models = json.loads(path.read_bytes())["models"]
    assert {model["package"] for model in models} == {f"{name}.mlpackage" for name in NAMES}
    assert models[0]["package"] == "thing.mlpackage"
    layouts = [model["contract"]["layout"] for model in models[1:]]
    assert set(layouts) == {"rays", "camera", "embedded"}


def test_the_report_puts_the_layouts_side_by_side(bundle):
    (table,) = (t for t in bundle.manifest.inspection.tables if "by input layout" in t.title)
    assert {row.cells[0] for row in table.rows} == {each.name for each in LAYOUTS}
    casts = {row.cells[0]: int(row.cells[4]) for row in table.rows}
    assert casts["factored"] == casts["embedded"] == 0
    assert casts["camera"] > 0


def test_a_package_must_keep_to_the_bundles_contract(bundle, packages):
    """In everything but its layout: another lens, for example, is another contract."""
    contract = bundle.manifest.contract
    rays = packages["thing-rays"]
    check_package(rays, in_layout(contract, "rays"))
    with pytest.raises(BundleError, match="carries another contract"):
        check_package(packages["thing-camera"], in_layout(contract, "rays"))


def test_one_layout_needs_no_table_of_layouts():
    checkpoint = random_checkpoint(ray_width=6, ray_height=5, sr_widths=(8,))
    exporter = find_exporter("coreml")
    exported = exporter.export(checkpoint, "thing", exporter.options())
    titles = [table.title for table in exporter.inspect(exported.files).tables]
    assert not [title for title in titles if "by input layout" in title]
