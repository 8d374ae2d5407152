// Textures: of the device's camera, of render targets, and what models draw.
"use strict";
const { documented, secretOf } = require("./documented");

const byId = new Map();

// A texture of the project; null for no id.
function of(id) {
    return id === null || id === undefined ? null : byId.get(id);
}

function register(id, width, height, { control = null, isCamera = false } = {}) {
    const size = { width, height };
    const texture = documented("Texture", {
        control,
        getWidth: () => size.width,
        getHeight: () => size.height,
    }, { readOnly: ["control"], secret: { kind: "Texture", isCamera, drawn: null } });
    if (id !== null) {
        byId.set(id, texture);
    }
    return texture;
}

function create(width, height) {
    return register(null, width, height);
}

// Remembers which output of which component drew it; the Python side keeps the pixels.
function draw(texture, by) {
    secretOf(texture).drawn = by;
}

// Whether this is what the device's camera sees.
function isCamera(texture) {
    const secret = secretOf(texture);
    return secret !== undefined && secret.kind === "Texture" && secret.isCamera;
}

module.exports = { create, draw, isCamera, of, register };
