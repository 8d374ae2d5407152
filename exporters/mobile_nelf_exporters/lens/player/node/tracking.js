// How the phone finds its way in the room: modes of tracking, planes, a mesh of the room, hints.
"use strict";
const { LensApiError, documented, enumeration } = require("./documented");
const { vec3 } = require("./maths");

// Declarations: names and order are theirs.
const DeviceTrackingMode = enumeration("DeviceTrackingMode", ["Rotation", "Surface", "World"]);
const NativePlaneTrackingType = enumeration("NativePlaneTrackingType",
    ["None", "Horizontal", "Vertical", "Both"]);
const TrackedPlaneOrientation = enumeration("TrackedPlaneOrientation", ["Horizontal", "Vertical"]);

// Declarations: the hints of Snapchat that lenses of ours use.
const HINTS = ["lens_hint_look_around", "lens_hint_tap_surface_to_place", "lens_hint_try_rear_camera"];

// `phone`: {isTracked, hasPlanes, floor}; `camera` is the one beside it.
function createDeviceTracking(phone, camera) {
    const state = { requested: DeviceTrackingMode.Surface };
    return documented("DeviceTracking", {
        enabled: true,
        isDeviceTrackingModeSupported: () => true,
        requestDeviceTrackingMode: (mode) => { state.requested = mode; },
        getRequestedDeviceTrackingMode: () => state.requested,
        // Declarations: what was requested may not happen at once, and not at all.
        getActualDeviceTrackingMode: () => (phone.isTracked || state.requested !== DeviceTrackingMode.World
            ? state.requested : DeviceTrackingMode.Rotation),
        worldTrackingCapabilities: documented("WorldTrackingCapabilities", {
            planesTrackingSupported: phone.hasPlanes,
            sceneReconstructionSupported: phone.floor !== null,
            trackedWorldPointsSupported: false,
        }, { readOnly: ["planesTrackingSupported", "sceneReconstructionSupported"] }),
        worldOptions: phone.options,
        // Declarations: positions of the screen begin at its top left; the mesh is that of the room.
        hitTestWorldMesh: (place) => {
            if (phone.floor === null || !phone.options.enableWorldMeshesTracking) {
                throw new LensApiError("DeviceTracking.hitTestWorldMesh: the phone has no mesh");
            }
            const { origin, direction } = camera().ray(place.x, place.y);
            const way = (phone.floor - origin[1]) / direction[1];
            if (!(way > 0)) {
                return [];
            }
            return [documented("TrackedMeshHitTestResult", {
                position: new vec3(...origin.map((value, i) => value + way * direction[i])),
                normal: new vec3(0, 1, 0),
            }, { readOnly: ["position", "normal"] })];
        },
    }, { readOnly: ["worldTrackingCapabilities", "worldOptions"] });
}

function createWorldOptions() {
    return documented("WorldOptions",
        { enableWorldMeshesTracking: false, nativePlaneTrackingType: NativePlaneTrackingType.None });
}

function createPlane({ pivot, size }) {
    return documented("TrackedPlane", {
        isValid: true,
        orientation: TrackedPlaneOrientation.Horizontal,
        pivot: new vec3(...pivot),
        size: new vec3(...size),
    }, { readOnly: ["isValid", "orientation", "pivot", "size"] });
}

function createHints(shown) {
    const known = (id) => {
        if (!HINTS.includes(id)) {
            throw new LensApiError(`HintsComponent: ${id} is not documented or not simulated`);
        }
    };
    return documented("HintsComponent", {
        enabled: true,
        showHint: (id) => { known(id); shown.add(id); return true; },
        hideHint: (id) => { known(id); return shown.delete(id); },
    });
}

module.exports = {
    DeviceTrackingMode, NativePlaneTrackingType, TrackedPlaneOrientation, createDeviceTracking,
    createHints, createPlane, createWorldOptions,
};
