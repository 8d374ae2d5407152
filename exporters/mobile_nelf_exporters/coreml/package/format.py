"""The format of Core ML packages: names, paths, metadata, versions; for writer and reader."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

__all__ = [
    "DATA",
    "EXPERIENCE_KEY",
    "IOS_VERSIONS",
    "MANIFEST",
    "MANIFEST_VERSION",
    "MODEL",
    "OWNER",
    "ROOM_KEY",
    "SUFFIX",
    "WEIGHTS",
    "WEIGHTS_BESIDE_MODEL",
    "WEIGHTS_FOLDER",
    "WEIGHTS_KEY",
    "Versions",
    "package_names",
]

#: Ends the name of a package, which is a folder.
SUFFIX = ".mlpackage"

MANIFEST = "Manifest.json"
MANIFEST_VERSION = "1.0.0"

#: Folder that the paths of the manifest start from, and what they begin with.
DATA = "Data"
OWNER = "com.apple.CoreML"
#: The model file, as the manifest lists it.
MODEL = f"{OWNER}/model.mlmodel"
#: The one weights file of a package, beside the model file; its folder, as the manifest lists it;
#: and its path in the package.
WEIGHTS_BESIDE_MODEL = "weights/weight.bin"
WEIGHTS_FOLDER = f"{OWNER}/weights"
WEIGHTS = f"{DATA}/{OWNER}/{WEIGHTS_BESIDE_MODEL}"

#: Metadata key under which a package says how it stores its weights.
WEIGHTS_KEY = "mobile_nelf.weights"

#: Metadata key that says what people do with the app around a package.
EXPERIENCE_KEY = "mobile_nelf.experience"

#: Metadata key, as JSON, that says how far an object in a room reaches, and how high it is to be.
ROOM_KEY = "mobile_nelf.room"


class Versions(NamedTuple):
    """What a version of iOS and iPadOS reads.

    Attributes:
        specification: version of the model file.
        opset: version of its operators.
    """

    specification: int
    opset: str


#: Versions of iOS and iPadOS that can be asked for; the converter calls them `iOS16` and so on.
IOS_VERSIONS = {
    16: Versions(7, "CoreML6"),
    17: Versions(8, "CoreML7"),
    18: Versions(9, "CoreML8"),
}


def package_names(paths: Iterable[str]) -> list[str]:
    """Returns the packages at the top of a bundle, the main one first.

    `mic.mlpackage` is the main one, `mic-int8.mlpackage` a further form of its weights.

    Args:
        paths: of files, relative to the bundle.
    """
    tops = {path.partition("/")[0] for path in paths if "/" in path}
    return sorted((top for top in tops if top.endswith(SUFFIX)), key=lambda top: (len(top), top))
