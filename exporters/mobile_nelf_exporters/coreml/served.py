"""The interpreter of Core ML packages in the child process of a `FencedModel`."""

from __future__ import annotations

from functools import cache

import torch

from mobile_nelf.fence.arrays import Arrays, Header
from mobile_nelf.fence.child import Open, Run
from mobile_nelf_exporters.coreml.interpreter.interpreter import Interpreter
from mobile_nelf_exporters.coreml.package.package import read_package
from mobile_nelf_exporters.coreml.package.schema import parse_model

__all__ = ["prepare"]


def prepare(settings: Header) -> Open:
    """Takes `name` and `threads`; a run takes `emulate_fp16` and `gelu_table`.

    See `fence.child.Prepare`.
    """
    torch.set_num_threads(settings["threads"])
    # Once with nothing foreign: what is loaded at first use cannot be loaded afterwards.
    torch.nn.functional.conv2d(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 1, 1))
    parse_model(b"", "warm-up")

    def open_model(content: Arrays) -> tuple[Header, Run]:
        files = {path: data.tobytes() for path, data in content.items()}
        package = read_package(files, settings["name"])

        @cache
        def interpreter(emulate_fp16: bool, gelu_table: bool) -> Interpreter:
            return Interpreter(package, emulate_fp16=emulate_fp16, gelu_table=gelu_table)

        def run(header: Header, uploads: Arrays) -> tuple[Header, Arrays]:
            running = interpreter(header["emulate_fp16"], header["gelu_table"])
            results = running.run(
                {name: torch.from_numpy(array.copy()) for name, array in uploads.items()}
            )
            name, magnitude = running.largest_activation
            return {"largest": name, "magnitude": str(magnitude)}, {
                name: tensor.numpy() for name, tensor in results.items()
            }

        return {}, run

    return open_model
