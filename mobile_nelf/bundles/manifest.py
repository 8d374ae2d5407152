"""The manifest: what a bundle claims about itself, in one canonical JSON file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from mobile_nelf.deploy.contract import Contract
from mobile_nelf.errors import BundleError, ConfigError
from mobile_nelf.export.inspection import Inspection
from mobile_nelf.export.parity import ParityLeg
from mobile_nelf.parsing import MAX_JSON_BYTES, parse_json, shown
from mobile_nelf.plain import from_dict, to_dict

__all__ = ["MANIFEST_NAME", "FileRecord", "Manifest", "read_manifest"]

MANIFEST_NAME = "manifest.json"
SCHEMA_VERSION = 3


@dataclass(frozen=True)
class FileRecord:
    """A file of the bundle.

    Attributes:
        sha256: of its content.
        size: in bytes.
    """

    sha256: str
    size: int

    @staticmethod
    def of(content: bytes) -> FileRecord:
        """Returns the record of a file's content."""
        return FileRecord(hashlib.sha256(content).hexdigest(), len(content))


@dataclass(frozen=True)
class Manifest:
    """Everything that a bundle says about itself.

    Attributes:
        name: of the bundle and of the project inside.
        target: the exporter that wrote it.
        mnelf_version: that wrote it.
        contract: what host and artefact agree on.
        layout_reason: why this input layout was chosen.
        provenance: of the checkpoint.
        metrics: of the checkpoint, by name.
        files: every file but the manifest, by bundle-relative POSIX path.
        inspection: cost, models, tables and findings of the target.
        parity: every leg that was measured when the bundle was written.
        not_measured: what only a device can tell.
        schema: version of this file.
        digest: SHA-256 of the manifest with this field empty.
    """

    name: str
    target: str
    mnelf_version: str
    contract: Contract
    layout_reason: str
    provenance: dict[str, str]
    metrics: dict[str, float]
    files: dict[str, FileRecord]
    inspection: Inspection
    parity: tuple[ParityLeg, ...]
    not_measured: tuple[str, ...]
    schema: int = SCHEMA_VERSION
    digest: str = ""

    def __repr__(self) -> str:
        """Returns target, network and how much was proven."""
        network = self.contract.student.name
        return f"Manifest({self.name} for {self.target}, {network}, {len(self.files)} files)"

    def to_bytes(self) -> bytes:
        """Returns the canonical file content, with the digest filled in."""
        # Through plain data and back, so that a 4 given for a float is written as a reader sees it.
        plain = from_dict(Manifest, to_dict(replace(self, digest="")), "manifest")
        digest = hashlib.sha256(_canonical(plain)).hexdigest()
        return _canonical(replace(plain, digest=digest))


def _canonical(manifest: Manifest) -> bytes:
    text = json.dumps(to_dict(manifest), indent=1, sort_keys=True, allow_nan=False)
    return (text + "\n").encode()


def read_manifest(bundle: Path) -> Manifest:
    """Reads the manifest of a bundle and checks that it is as mnelf wrote it.

    Raises:
        BundleError: it is missing, unreadable, of another schema, or was edited.
    """
    path = bundle / MANIFEST_NAME
    try:
        with path.open("rb") as file:
            content = file.read(MAX_JSON_BYTES + 1)
        data = parse_json(content, finite=False)
    except FileNotFoundError as error:
        raise BundleError(f"{path}: no such file; {bundle} is not a bundle of mnelf") from error
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: {error}; bundle it again") from error
    schema = data.get("schema") if isinstance(data, dict) else None
    if schema != SCHEMA_VERSION:
        raise BundleError(
            f"{path}: has schema {shown(schema)}, this mnelf reads {SCHEMA_VERSION}; use the "
            "mnelf that wrote it"
        )
    try:
        manifest = from_dict(Manifest, data, "manifest")
        unchanged = manifest.to_bytes() == content
    except (ConfigError, ValueError) as error:
        raise BundleError(f"{path}: was edited or damaged ({error}); bundle it again") from error
    if not unchanged:
        raise BundleError(
            f"{path}: was edited or damaged, its content does not match its digest; bundle it again"
        )
    return manifest
