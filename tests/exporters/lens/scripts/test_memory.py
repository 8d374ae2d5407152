"""Frames of a lens leave nothing for the collector of garbage."""

from __future__ import annotations

import pytest

from tests.helpers.lens.contracts import LAYOUT_NAMES, cut_out_contract, lens_contract
from tests.helpers.lens.modules import Modules
from tests.helpers.node import needs_node

pytestmark = needs_node

#: Frames of which the memory is measured, and the smallest object that each could leave behind.
FRAMES, OBJECT_BYTES = 5000, 16
ENGINE = (
    "--expose-gc",
    # Otherwise it depends on the machine's load when compiled code takes over.
    "--no-concurrent-recompilation",
    # Room enough that nothing is collected while it is counted.
    "--max-semi-space-size=256",
    "--min-semi-space-size=128",
    # V8 puts numbers that pass between functions on the heap unless it compiles them into one.
    "--max-inlined-bytecode-size=9999",
    "--max-inlined-bytecode-size-cumulative=99999",
    "--max-optimized-bytecode-size=999999",
)

COST = """
const orbit = orbits.createOrbit(contract, 1, 1.5), pace = paces.createPace();
const touch = touches.createTouch();
const world = worlds.createWorld(contract), rays = rayMaps.createRays(), inputs = arrays();
const axes = math.flat(contract.orbitAxes);
const position = { x: 0, y: 0, z: 0 }, rotation = { w: 1, x: 0, y: 0, z: 0 };
const turned = { w: 0.5, x: 0.5, y: 0.5, z: 0.5 };
const still = () => {};
const shadow = {
    surface: {
        object: { enabled: false }, pass: { baseTex: null, baseColor: null }, texture: null,
        transform: { setWorldPosition: still, setWorldRotation: still, setWorldScale: still },
        position: { x: 0.5, y: 0.5, z: 0.5 }, rotation: { w: 0.5, x: 0.5, y: 0.5, z: 0.5 },
        scale: { x: 0.5, y: 0.5, z: 0.5 }, tint: { x: 0.5, y: 0.5, z: 0.5, w: 0.5 }
    },
    texture: {}, centre: new Float64Array(3), axes: new Float64Array(9)
};
const rect = { left: 0.5, right: 0.5, bottom: 0.5, top: 0.5 };
const shown = { control: { cropRect: null }, rect: rect };
const finger = { x: 0.5, y: 0.5 };
const event = { getTouchId: () => 4, getTouchPosition: () => finger };
worlds.anchor(world, position, rotation);
touches.onStart(touch, orbit, event, 0.5);
function frame(i) {
    if (given.way === "surface") {
        position.x = 10 * Math.sin(i / 10);
        worlds.resize(world, 1.5);
        worlds.pose(world, rays, contract, spec, position);
        surfaces.rotationOf(turned, world.facing);
        shadows.lay(shadow, world, position, 0.5 + 0.4 * Math.sin(i));
        rayMaps.setMap(rays, contract, contract.radius[0], spec);
    } else if (given.way === "mask") {
        position.x = 10 * Math.sin(i / 10);
        worlds.aim(world, rays, contract, spec, position, rotation);
        rayMaps.setMap(rays, contract, world.distance, world.lens);
    } else {
        finger.x = 0.5 + 0.1 * Math.sin(i / 10);
        touches.onMove(touch, orbit, event, 0.5);
        touches.advance(touch, orbit, 0.03);
        orbits.advance(orbit, 0.03);
        math.lookAtFrame(rays.lookAt, axes, orbit.azimuth, orbit.elevation);
        rays.frame.set(rays.lookAt);
        rayMaps.setMap(rays, contract, orbit.distance, spec);
        screens.place(shown, 0.5 + 0.4 * Math.sin(i), 0.4);
        paces.judge(pace, 0.07);
    }
    uploads.fillInputs(contract, rays, inputs, spec);
}
const grown = [];
for (let round = 0; round < 5; round++) {
    gc();
    const before = process.memoryUsage().heapUsed;
    for (let i = 0; i < given.frames; i++) { frame(i); }
    grown.push(process.memoryUsage().heapUsed - before);
}
tell(grown);
"""
WAYS = [(layout, "screen") for layout in LAYOUT_NAMES] + [
    ("factored", "mask"),
    ("rays", "mask"),
    ("factored", "surface"),
    ("camera", "surface"),
]


@pytest.mark.parametrize(("layout", "way"), WAYS)
def test_frames_allocate_nothing(layout, way, tmp_path):
    contract = (lens_contract if way == "screen" else cut_out_contract)(layout)
    modules = Modules(tmp_path, contract, "orbit" if way == "screen" else "world")
    grown = modules.run(COST, {"frames": FRAMES, "way": way}, *ENGINE)
    # The first rounds are those in which the engine compiles.
    assert min(grown) < FRAMES * OBJECT_BYTES / 2, grown
