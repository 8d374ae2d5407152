"""The interpreter of Core ML packages in the child process of a `FencedModel`."""

from __future__ import annotations

import torch

from mobile_nelf.fence.arrays import Arrays, Header
from mobile_nelf.fence.child import Open, Run
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.package.schema import parse_model

__all__ = ["prepare"]


def prepare(settings: Header) -> Open:
    """Takes `name`, `emulate_fp16`, `gelu_table` and `threads`; see `fence.child.Prepare`."""
    torch.set_num_threads(settings["threads"])
    # Once with nothing foreign: what is loaded at first use cannot be loaded afterwards.
    torch.nn.functional.conv2d(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1))
    parse_model(b"", "warm-up")

    def open_model(content: Arrays) -> tuple[Header, Run]:
        files = {path: data.tobytes() for path, data in content.items()}
        interpreter = Interpreter(
            read_package(files, settings["name"]),
            emulate_fp16=settings["emulate_fp16"],
            gelu_table=settings["gelu_table"],
        )

        def run(header: Header, uploads: Arrays) -> tuple[Header, Arrays]:
            results = interpreter.run(
                {name: torch.from_numpy(array.copy()) for name, array in uploads.items()}
            )
            name, magnitude = interpreter.largest_activation
            return {"largest": name, "magnitude": str(magnitude)}, {
                name: tensor.numpy() for name, tensor in results.items()
            }

        return {}, run

    return open_model
