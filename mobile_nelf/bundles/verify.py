"""Re-proves a bundle from its files alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from mobile_nelf.atomic import clear_leftovers
from mobile_nelf.bundles.manifest import MANIFEST_NAME, FileRecord, Manifest, read_manifest
from mobile_nelf.bundles.measured import stored_names, stored_problems
from mobile_nelf.bundles.origin import was_made_here
from mobile_nelf.bundles.reports import report_names, reports_of
from mobile_nelf.errors import BundleError, InputError
from mobile_nelf.export.exporter import find_exporter
from mobile_nelf.export.parity import ParityLeg, compare_frames, leg_name, proves_artefact
from mobile_nelf.export.reference import Reference, take_pixels
from mobile_nelf.export.runtime import Runtime
from mobile_nelf.outputs import files_below
from mobile_nelf.paths import AnyPath, as_path
from mobile_nelf.pictures import FloatImage, from_uint8, to_uint8
from mobile_nelf.progress import Progress, counted, silent
from mobile_nelf.text import text_table

__all__ = ["Contents", "Verification", "allowed_runtimes", "read_bundle", "verify_bundle"]

#: All files of a bundle are held in memory; those of a D60 student in five forms have 0.1 GB.
MAX_BUNDLE_BYTES = 1 << 30
#: What a target's own tool may add to a file that it writes again.
MAX_ADDED_BYTES = 1 << 20

#: Why a leg was left out.
FOREIGN_SCRIPTS = (
    "it runs scripts of the bundle, which was not made on this machine; set run_scripts to run them"
)

#: Whole frames are compared at 8 bits, where rounding alone decides: at the contract's 60 dB about
#: one value in five lands on the next step, which is 55 dB.
EIGHT_BIT_MIN_PSNR_DB = 50.0

#: Where less is demanded, rounding still adds to the error: at 50 dB about 1 dB.
EIGHT_BIT_ALLOWANCE_DB = 1.0


@dataclass(frozen=True)
class Verification:
    """The outcome of a verification.

    Attributes:
        path: the bundle.
        manifest: what it claims.
        problems: what does not hold, one sentence each; empty if everything holds.
        legs: parity as measured now.
        not_repeated: legs of the manifest that this machine lacks a runtime for, and legs that run
            scripts of somebody else's bundle, with the flag that allows it.
        unlisted: files that the bundle neither came with nor got from a device or from the
            target's own tool.
        remarks: what the target's own tool changed and added, as on opening a project.
    """

    path: Path
    manifest: Manifest
    problems: tuple[str, ...]
    legs: tuple[ParityLeg, ...]
    not_repeated: tuple[str, ...]
    unlisted: tuple[str, ...]
    remarks: tuple[str, ...]

    def __repr__(self) -> str:
        """Returns the verdict, what does not hold, and the legs as a table."""
        verdict = "passed" if self.passed else "FAILED"
        rows = [(leg.name, "ok" if leg.passed else "FAILED", leg.worst_text) for leg in self.legs]
        return "\n".join(
            [
                f"{self.path}: {verdict}",
                *self.problems,
                *self.remarks,
                *(f"not repeated here: {leg}" for leg in self.not_repeated),
                text_table(("parity", "verdict", "worst dB"), rows, right=1),
            ]
        )

    @property
    def scripts_left_out(self) -> tuple[str, ...]:
        """Those of `not_repeated` that `run_scripts` would have run."""
        return tuple(leg for leg in self.not_repeated if leg.endswith(FOREIGN_SCRIPTS))

    @property
    def passed(self) -> bool:
        """Whether the bundle is what it claims to be."""
        return not self.problems


@dataclass(frozen=True)
class Contents:
    """What is in a bundle, before anything of it is executed.

    Attributes:
        manifest: what it claims.
        files: listed files that are there, by relative path.
        problems: what is not as the manifest lists it, one sentence each.
        remarks: what the target's own tool changed and added.
        unlisted: all other files that the manifest does not list.
    """

    manifest: Manifest
    files: dict[str, bytes]
    problems: tuple[str, ...]
    remarks: tuple[str, ...]
    unlisted: tuple[str, ...]


def verify_bundle(
    path: AnyPath, *, run_scripts: bool = False, on_progress: Progress = silent
) -> Verification:
    """Checks hashes, contract and inspection of a bundle and replays its reference frames.

    Args:
        path: the bundle's folder.
        run_scripts: run scripts of the bundle also if it was not made on this machine; they reach
            no file, network or process.
        on_progress: called with a stage's name, steps done and steps in all.

    Raises:
        InputError: `path` is not a folder.
        BundleError: there is no manifest, or it was edited.
        MissingExtraError: the target's optional dependencies are not installed.
    """
    path = as_path(path)
    contents = read_bundle(path)
    manifest, files, problems = contents.manifest, contents.files, list(contents.problems)
    contract = manifest.contract
    exporter = find_exporter(manifest.target)
    required = exporter.required_psnr_db(contract)
    if contract.min_psnr_db < required:
        problems.append(
            f"{MANIFEST_NAME}: the contract demands {contract.min_psnr_db:g} dB, less than the "
            f"{required:g} dB that its layout must reach"
        )
    legs: list[ParityLeg] = []
    not_repeated: tuple[str, ...] = ()
    # A changed file is the whole answer; what it would render adds nothing and may not even load.
    if not problems:
        try:
            if exporter.inspect(files) != manifest.inspection:
                problems.append(
                    f"{MANIFEST_NAME}: cost, models or tables differ from those of the artefact"
                )
            runtimes = exporter.runtimes(files, contract)
            allowed = allowed_runtimes(runtimes, manifest, run_scripts)
            known_legs = {leg_name(runtime) for runtime in runtimes}
            not_repeated = (
                *(
                    leg.name
                    for leg in manifest.parity
                    if proves_artefact(leg) and leg.name not in known_legs
                ),
                *(
                    f"{leg_name(runtime)}: {FOREIGN_SCRIPTS}"
                    for runtime in runtimes
                    if runtime not in allowed
                ),
            )
            legs = _replay(allowed, manifest, files, on_progress)
        except BundleError as error:
            problems.append(str(error))
    problems += [leg.summary for leg in legs if not leg.passed]
    # Measurements come after the manifest was written; they are checked instead of listed.
    problems += stored_problems(path, manifest)
    reports, wrong = reports_of(path, manifest, files)
    problems += wrong
    remarks = [f"{name}: {report.summary}" for name, report in reports.items()]
    unlisted = set(contents.unlisted) - set(stored_names(path)) - set(report_names(path))
    return Verification(
        path,
        manifest,
        tuple(problems),
        tuple(legs),
        not_repeated,
        tuple(sorted(unlisted)),
        (*contents.remarks, *remarks),
    )


def allowed_runtimes(
    runtimes: Sequence[Runtime], manifest: Manifest, run_scripts: bool
) -> tuple[Runtime, ...]:
    """Returns the runtimes that may run: scripts of others only where the user asked for it."""
    trusted = run_scripts or was_made_here(manifest)
    return tuple(runtime for runtime in runtimes if trusted or not runtime.runs_scripts)


def read_bundle(path: Path) -> Contents:
    """Returns what is in a bundle, and what is not as its manifest lists it.

    Raises:
        InputError: `path` is not a folder.
        BundleError: there is no manifest, or it was edited.
        MissingExtraError: the target's optional dependencies are not installed, and something is
            not as the manifest lists it.
    """
    if not path.is_dir():
        clear_leftovers(path.absolute().parent)  # a kill in the middle of a replacement
    if not path.is_dir():
        raise InputError(f"{path}: no such folder, expected a bundle")
    manifest = read_manifest(path)
    size = sum(record.size for record in manifest.files.values())
    if size > MAX_BUNDLE_BYTES:
        raise BundleError(
            f"{path / MANIFEST_NAME}: lists {size} bytes, expected at most {MAX_BUNDLE_BYTES}"
        )
    files: dict[str, bytes] = {}
    changed, problems = [], []
    for name, record in manifest.files.items():
        file = path / name
        # A manifest is input like any other; its paths must not lead out of the bundle.
        if not file.resolve().is_relative_to(path.resolve()):
            problems.append(f"{name}: leads out of the bundle")
        elif not file.is_file():
            problems.append(f"{name}: is missing")
        elif file.stat().st_size > record.size + MAX_ADDED_BYTES:
            problems.append(f"{name}: was changed after the bundle was written")
        else:
            files[name] = file.read_bytes()
            if FileRecord.of(files[name]) != record:
                changed.append(name)
    others = set(files_below(path)) - {MANIFEST_NAME, *manifest.files}
    edits, tool_files = _work_of_the_tool(manifest, files, changed, others)
    problems += [
        f"{name}: was changed after the bundle was written" for name in changed if name not in edits
    ]
    remarks = [f"{name}: {edit}" for name, edit in edits.items()]
    folders = Counter("/".join(name.split("/")[:2]) for name in sorted(tool_files))
    remarks += [
        f"{name}: {count} file{'s' if count > 1 else ''} of the target's own tool"
        for name, count in folders.items()
    ]
    return Contents(manifest, files, tuple(problems), tuple(remarks), tuple(others - tool_files))


def _work_of_the_tool(
    manifest: Manifest, files: dict[str, bytes], changed: list[str], others: set[str]
) -> tuple[dict[str, str], set[str]]:
    """Returns what the target's own tool did to listed files, and which others are its own."""
    if not changed and not others:
        return {}, set()

    def is_original(name: str, content: bytes) -> bool:
        return FileRecord.of(content) == manifest.files[name]

    exporter = find_exporter(manifest.target)
    tool_files = {name for name in others if exporter.is_tool_file(name)}
    return exporter.tool_edits(files, changed, is_original), tool_files


def _replay(
    runtimes: Sequence[Runtime],
    manifest: Manifest,
    files: dict[str, bytes],
    on_progress: Progress,
) -> list[ParityLeg]:
    scale = manifest.contract.student.scale
    legs = []
    for runtime in runtimes:
        if runtime.min_psnr_db is None:
            continue
        reference = Reference.from_files(files, runtime.reference)
        count = runtime.frames or len(reference.frames)
        cameras = reference.ray_cameras(scale)[:count]
        rendered = [
            runtime.frame(camera) for camera in counted(f"run {runtime.name}", cameras, on_progress)
        ]
        legs += [
            compare_frames(
                f"{runtime.name}, float pixels",
                [take_pixels(frame)[None] for frame in rendered],
                list(reference.pixels[:count, None]),
                min_psnr_db=runtime.min_psnr_db,
                note=runtime.assumes,
                largest_activation=runtime.largest_activation and runtime.largest_activation(),
                artefact=runtime.artefact,
            ),
            compare_frames(
                f"{runtime.name}, whole frames at 8 bits",
                [_at_8_bits(frame) for frame in rendered],
                [from_uint8(frame) for frame in reference.frames[:count]],
                min_psnr_db=min(
                    EIGHT_BIT_MIN_PSNR_DB, runtime.min_psnr_db - EIGHT_BIT_ALLOWANCE_DB
                ),
                note=runtime.assumes,
                artefact=runtime.artefact,
            ),
        ]
    return legs


def _at_8_bits(frame: FloatImage) -> FloatImage:
    """Rounds a frame as a PNG file does; one that is not finite stays so, to be called that."""
    return from_uint8(to_uint8(frame)) if np.isfinite(frame).all() else frame
