// Textures: of the device's camera, of render targets, and what models draw.
"use strict";
const { LensApiError, documented, enumeration, secretOf } = require("./documented");

// Declarations: names and order are theirs.
const Colorspace = enumeration("Colorspace", ["R", "RG", "RGBA", "RGBAFloat"]);
const CHANNELS = 4;
const LARGEST = 64; // pixels a side that are simulated

const byId = new Map();
let painted = []; // since the last report: {component, width, height, pixels}
let count = 0; // of textures that scripts made

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

// Declarations of ProceduralTextureProvider: `setPixels` takes bytes, four for a pixel of RGBA. The Python
// side knows such a texture by a negative number in place of a component's.
const ProceduralTextureProvider = documented("ProceduralTextureProvider", {
    create: (width, height, colorspace) => {
        if (colorspace !== Colorspace.RGBA || !(width > 0 && width <= LARGEST)
            || !(height > 0 && height <= LARGEST)) {
            throw new LensApiError(
                `ProceduralTextureProvider.create: only RGBA up to ${LARGEST} a side is simulated`);
        }
        count += 1;
        const by = { component: -count, output: 0 };
        const control = documented("ProceduralTextureProvider", {
            setPixels: (x, y, columns, rows, pixels) => {
                if (x !== 0 || y !== 0 || columns !== width || rows !== height) {
                    throw new LensApiError("setPixels: only whole textures are simulated");
                }
                if (!(pixels instanceof Uint8Array) || pixels.length !== CHANNELS * width * height) {
                    throw new LensApiError("setPixels takes a Uint8Array of four bytes a pixel");
                }
                painted.push({ component: by.component, width, height, pixels: Array.from(pixels) });
                draw(texture, by);
            },
        });
        const texture = register(null, width, height, { control });
        return texture;
    },
});

// Guide "Crop Texture": a rectangle of another texture, of which -1 and 1 are the borders. Beyond them is
// guess crop. A turned one is not simulated.
function registerCrop(id, { input, rect }) {
    const control = documented("RectCropTextureProvider", {
        inputTexture: of(input), cropRect: documented("Rect", rect), rotation: 0,
    });
    return register(id, 1, 1, { control });
}

// Which output of which component a texture shows, and what part of it: [left, right, bottom, top].
function sourceOf(texture) {
    const { control } = texture;
    const isCrop = control !== null && "cropRect" in control;
    if (isCrop && control.rotation !== 0) {
        throw new LensApiError("RectCropTextureProvider: a turned rectangle is not simulated");
    }
    const { drawn } = secretOf(isCrop && control.inputTexture ? control.inputTexture : texture);
    const { left, right, bottom, top } = isCrop
        ? control.cropRect : { left: -1, right: 1, bottom: -1, top: 1 };
    return drawn && { ...drawn, part: [left, right, bottom, top] };
}

// What scripts painted since this was asked for.
function takePainted() {
    const taken = painted;
    painted = [];
    return taken;
}

// Whether this is what the device's camera sees.
function isCamera(texture) {
    const secret = secretOf(texture);
    return secret !== undefined && secret.kind === "Texture" && secret.isCamera;
}

module.exports = {
    Colorspace, ProceduralTextureProvider, create, draw, isCamera, of, register,
    registerCrop, sourceOf, takePainted,
};
