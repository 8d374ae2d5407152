"""The scripts of a lens, to be called one by one in Node.js."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from mobile_nelf.deploy.contract import Contract
from mobile_nelf_exporters.lens.project import render_lens_project

__all__ = ["Modules"]

#: What scripts and drivers may use.
PRELUDE = """
const fs = require("fs");
const contract = require("./NelfContract"), math = require("./NelfMath");
const orbits = require("./NelfOrbit"), paces = require("./NelfPace");
const rayMaps = require("./NelfRays"), screens = require("./NelfScreen");
const shadows = require("./NelfShadow");
const surfaces = require("./NelfSurface");
const tables = require("./NelfTables"), touches = require("./NelfTouch");
const uploads = require("./NelfUploads"), worlds = require("./NelfWorld");
const given = JSON.parse(fs.readFileSync(0, "utf8"));
const spec = contract.models[0];
const tell = (value) => console.log(JSON.stringify(value, (key, item) =>
    (ArrayBuffer.isView(item) ? Array.from(item) : item)));
const arrays = () => Object.fromEntries(spec.inputs.map(({ name, shape }) =>
    [name, new Float32Array(shape[0] * shape[1] * shape[2])]));
"""


class Modules:
    """The scripts of a project in a folder where Node.js finds them."""

    def __init__(self, folder: Path, contract: Contract, experience: str = "orbit") -> None:
        self.contract = contract
        self.folder = folder
        files = render_lens_project([(contract, b"")], "Mic", experience)
        for path, content in files.items():
            if path.endswith(".js"):
                (folder / Path(path).name).write_bytes(content)

    def run(self, driver: str, given: Any = None, *flags: str) -> Any:
        """What a driver, which runs after `PRELUDE`, tells."""
        (self.folder / "driver.js").write_text(PRELUDE + driver, encoding="utf-8")
        done = subprocess.run(
            ["node", *flags, "driver.js"],
            cwd=self.folder,
            input=json.dumps(given),
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)
