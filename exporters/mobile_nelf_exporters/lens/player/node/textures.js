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
    }, { readOnly: ["control"], secret: { kind: "Texture", isCamera, size, pixels: null } });
    if (id !== null) {
        byId.set(id, texture);
    }
    return texture;
}

function create(width, height) {
    return register(null, width, height);
}

// Keeps what a model drew: values within [0, 255], rows downwards. Guess orientation: the first row of
// the tensor is the top of the texture.
function fill(texture, data, channels, flips) {
    const secret = secretOf(texture);
    const { width, height } = secret.size;
    const pixels = secret.pixels || new Float32Array(width * height * channels);
    for (let y = 0; y < height; y++) {
        const row = flips.flipY ? height - 1 - y : y;
        for (let x = 0; x < width; x++) {
            const column = flips.flipX ? width - 1 - x : x;
            for (let c = 0; c < channels; c++) {
                pixels[(y * width + x) * channels + c] = data[(row * width + column) * channels + c];
            }
        }
    }
    secret.pixels = pixels;
    secret.channels = channels;
}

// Whether this is what the device's camera sees.
function isCamera(texture) {
    const secret = secretOf(texture);
    return secret !== undefined && secret.kind === "Texture" && secret.isCamera;
}

module.exports = { create, fill, isCamera, of, register };
