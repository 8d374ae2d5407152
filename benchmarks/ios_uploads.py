"""What a frame's uploads cost the iPad app's processor, before and after, by build configuration.

    python benchmarks/ios_uploads.py

Compiles `ios_harness/Sources/NelfCore` and `benchmarks/ios_uploads` with the Swift of this machine
(`ios_harness/linux/swift.sh`), without and with optimization, and prints milliseconds of one core
for D60-SR3's grid of 100×100 rays: the fastest of 40 frames by the thread's own clock. *Before* is
one sine for each number, rounded to fp32; Swift Playgrounds builds without optimization, as far as
known.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

MANIFEST = """// swift-tools-version: 5.9
import PackageDescription
let package = Package(
    name: "uploads",
    targets: [
        .target(name: "NelfCore"),
        .executableTarget(name: "uploads", dependencies: ["NelfCore"]),
    ]
)
"""


def main() -> None:
    """Prints the table."""
    print("| build | samples | type | before ms | after ms | times less |")
    print("|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        package = Path(folder)
        (package / "Package.swift").write_text(MANIFEST, encoding="utf-8")
        shutil.copytree(ROOT / "ios_harness/Sources/NelfCore", package / "Sources/NelfCore")
        shutil.copytree(ROOT / "benchmarks/ios_uploads", package / "Sources/uploads")
        for title, configuration in (("-Onone", "debug"), ("-O", "release")):
            done = subprocess.run(
                [ROOT / "ios_harness/linux/swift.sh", package, "run", "-c", configuration],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                raise SystemExit(done.stdout + done.stderr)
            for line in done.stdout.splitlines():
                print(f"| {title} | {' | '.join(line.split())} |")


if __name__ == "__main__":
    main()
