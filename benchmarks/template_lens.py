"""The chain of `official_chain` as a Lens Studio project: a baseline for our lenses.

Scene, camera and render target are those of our own lens; scripts and models are the chain's.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from official_chain import official_chain
from onnx import ModelProto, ValueInfoProto

from mobile_nelf.checkpoints import Checkpoint
from mobile_nelf.deploy.layouts import TensorSpec
from mobile_nelf.students.r2l import R2L
from mobile_nelf.students.rewrite import fold_batchnorm
from mobile_nelf_exporters.lens.studio.scripts import script_inputs
from mobile_nelf_exporters.lens.versions import DEFAULT_STUDIO, STUDIOS
from mobile_nelf_exporters.lens.view import DEGREES_A_SCREEN
from mobile_nelf_exporters.templates import template_environment

__all__ = ["ChainLens", "chain_lens"]

CONTROLLER = Path(__file__).parent / "template_chain" / "ChainController.js"

#: What stays of our project.
KEPT = (".esproj", ".scene", ".renderTarget", ".deviceCameraTexture")


@dataclass(frozen=True)
class ChainLens:
    """The baseline.

    Attributes:
        files: of the project, by path relative to it.
        helpers: sampler and embedder, which run beside the network in each frame.
    """

    files: dict[str, bytes]
    helpers: tuple[ModelProto, ModelProto]


def chain_lens(checkpoint: Checkpoint, ours: Mapping[str, bytes]) -> ChainLens:
    """Builds the chain's project.

    Args:
        checkpoint: of the student; its weights are the network's.
        ours: files of our own lens of the same student.
    """
    student, network = checkpoint.student, checkpoint.network()
    lens = checkpoint.intrinsics.resized(student.ray_width, student.ray_height)
    folded = fold_batchnorm(network.as_conv() if isinstance(network, R2L) else network)
    models = dict(
        zip(
            ("sampler", "embedder", "network"),
            official_chain(folded, student, lens, gelu="snap"),
            strict=True,
        )
    )
    files = {
        path: content for path, content in ours.items() if path.removesuffix(".meta").endswith(KEPT)
    }
    scene = files["Assets/Scene.scene"].decode()
    (controller_id,) = re.findall(r"ScriptAsset: !<reference> (\S+)", scene)
    references = [f"      {name}: !<reference.MLAsset> {_id(name)}\n" for name in models]
    own = script_inputs(ours["Assets/NelfController.js"])
    our_inputs = re.compile(rf"^      (?:{'|'.join(own)}): .*\n", re.M)
    first = our_inputs.search(scene)
    if first is None:
        raise ValueError("the scene of our lens has no script inputs")
    rest = our_inputs.sub("", scene[first.start() :])
    files["Assets/Scene.scene"] = (scene[: first.start()] + "".join(references) + rest).encode()

    orbit = checkpoint.orbit
    settings = {
        "target": orbit.target,
        "orbitAxes": orbit.basis().tolist(),
        "azimuth": orbit.azimuth,
        "elevation": orbit.elevation,
        "radius": orbit.radius,
        "degreesAScreen": DEGREES_A_SCREEN,
    }
    scripts = {
        "ChainController": (CONTROLLER.read_text(), controller_id),
        "ChainSettings": (f"module.exports = {json.dumps(settings)};\n", _id("settings")),
    }
    for name, (text, asset) in scripts.items():
        path = f"Assets/{name}.js"
        files[path] = text.encode()
        files[f"{path}.meta"] = _meta("script", asset, script=asset, inputs={})
    for name, model in models.items():
        files[f"Assets/{name}.onnx"] = model.SerializeToString(deterministic=True)
        files[f"Assets/{name}.onnx.meta"] = _model_meta(name, model)
    return ChainLens(files, (models["sampler"], models["embedder"]))


def _model_meta(name: str, model: ModelProto) -> bytes:
    (output,) = _specs(model.graph.output)
    # The template's pictures are scaled to 255 on import; points and encoding stay as they are.
    contract = {
        "inputs": _specs(model.graph.input),
        "outputs": (output,),
        "white": 1.0 if name == "network" else 255.0,
    }
    return _meta("model", _id(name), role=_id(name), contract=contract)


def _specs(values: Iterable[ValueInfoProto]) -> tuple[TensorSpec, ...]:
    """Tensors with a batch of one in place of the free axis."""
    return tuple(
        TensorSpec(
            value.name, tuple(d.dim_value or 1 for d in value.type.tensor_type.shape.dim), ""
        )
        for value in values
    )


def _meta(template: str, asset: str, **values: object) -> bytes:
    """Renders a meta; the id of the asset itself stands in for its role."""

    def identify(role: str) -> str:
        return role if role == asset else _id(role)

    source = template_environment().get_template(f"lens_parts/{template}.meta.j2")
    studio = STUDIOS[DEFAULT_STUDIO]
    text: str = source.render(uuid=identify, studio=studio, **values)
    return text.encode()


def _id(role: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"template chain/{role}"))
