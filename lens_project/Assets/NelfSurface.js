// The picture on a surface of its own: a square that the host scales, turns and places. The network
// draws it at the spacing of rays that it was trained with, however large it is on the screen.
"use strict";
const clamp = require("./NelfMath").clamp;

// Shares of half the screen's height below which an object far away fades, and is gone.
const FAINT = 0.06;
const GONE = 0.03;

/** @param {SceneObject} parent whose layers it takes @param {Material} material any with a base
 * texture; a copy of it is used @param {boolean} clear whether the picture has an alpha
 * @param {number} order in which it is drawn, the lowest first; other things of a lens have 0 */
function createSurface(parent, material, clear, order) {
    const object = global.scene.createSceneObject("Nelf Surface");
    object.layer = parent.layer;
    object.enabled = false;
    const visual = object.createComponent("Component.RenderMeshVisual");
    visual.mesh = square();
    visual.mainMaterial = material.clone();
    visual.renderOrder = order;
    const pass = visual.mainPass;
    // The picture's colours are multiplied by its alpha already: One, OneMinusSrcAlpha.
    pass.blendMode = clear ? BlendMode.PremultipliedAlpha : BlendMode.Disabled;
    // What is nearer hides it; the material Image comes without.
    pass.depthTest = true;
    pass.depthWrite = false;
    pass.twoSided = true;
    return {
        object: object,
        transform: object.getTransform(),
        pass: pass,
        // Written anew for each frame, so that none leaves garbage.
        position: new vec3(0, 0, 0),
        rotation: new quat(1, 0, 0, 0),
        scale: new vec3(1, 1, 1),
        tint: new vec4(1, 1, 1, 1),
        /** @type {Texture | null} */ texture: null
    };
}

/** @typedef {ReturnType<typeof createSurface>} Surface */

/** One by one, around the origin; the texture's first row is its upper edge. */
function square() {
    const builder = new MeshBuilder([
        { name: "position", components: 3 },
        { name: "texture0", components: 2 }
    ]);
    builder.topology = MeshTopology.Triangles;
    builder.indexType = MeshIndexType.UInt16;
    builder.appendVerticesInterleaved([
        -0.5, -0.5, 0, 0, 0,
        0.5, -0.5, 0, 1, 0,
        0.5, 0.5, 0, 1, 1,
        -0.5, 0.5, 0, 0, 1
    ]);
    builder.appendIndices([0, 1, 2, 0, 2, 3]);
    builder.updateMesh();
    return builder.getMesh();
}

/** Shows what the model drew. @param {Surface} surface @param {Texture | null} texture */
function show(surface, texture) {
    if (texture !== surface.texture) {
        surface.texture = texture;
        surface.pass.baseTex = texture;
    }
    surface.object.enabled = texture !== null;
}

/** @param {Surface} surface */
function hide(surface) {
    surface.object.enabled = false;
}

/** How much of it is there, from 0 to 1. @param {Surface} surface @param {number} share */
function fade(surface, share) {
    const tint = surface.tint;
    if (tint.x !== share) {
        tint.x = tint.y = tint.z = tint.w = share;
        surface.pass.baseColor = tint;
    }
}

/** Fades what is small. Returns how much of it is there. @param {Surface} surface
 * @param {number} share of half the screen's height */
function fadeAway(surface, share) {
    const left = clamp((share - GONE) / (FAINT - GONE), 0, 1);
    fade(surface, left);
    return left;
}

/** @param {number} share of half the screen's height */
function isGone(share) {
    return share <= GONE;
}

/** @param {Surface} surface @param {Float64Array} centre @param {Float64Array} axes its right, top and
 * front as rows @param {number} width @param {number} height */
function place(surface, centre, axes, width, height) {
    const position = surface.position, scale = surface.scale;
    position.x = centre[0];
    position.y = centre[1];
    position.z = centre[2];
    scale.x = width;
    scale.y = height;
    rotationOf(surface.rotation, axes);
    surface.transform.setWorldPosition(position);
    surface.transform.setWorldRotation(surface.rotation);
    surface.transform.setWorldScale(scale);
}

/** The rotation that brings x, y and z to the rows of `axes`; the largest component is divided by.
 * @param {quat} out @param {Float64Array} a */
function rotationOf(out, a) {
    const trace = a[0] + a[4] + a[8];
    if (trace > 0) {
        const s = Math.sqrt(trace + 1) * 2;
        out.w = s / 4;
        out.x = (a[5] - a[7]) / s;
        out.y = (a[6] - a[2]) / s;
        out.z = (a[1] - a[3]) / s;
    } else if (a[0] > a[4] && a[0] > a[8]) {
        const s = Math.sqrt(1 + a[0] - a[4] - a[8]) * 2;
        out.w = (a[5] - a[7]) / s;
        out.x = s / 4;
        out.y = (a[3] + a[1]) / s;
        out.z = (a[6] + a[2]) / s;
    } else if (a[4] > a[8]) {
        const s = Math.sqrt(1 + a[4] - a[0] - a[8]) * 2;
        out.w = (a[6] - a[2]) / s;
        out.x = (a[3] + a[1]) / s;
        out.y = s / 4;
        out.z = (a[7] + a[5]) / s;
    } else {
        const s = Math.sqrt(1 + a[8] - a[0] - a[4]) * 2;
        out.w = (a[1] - a[3]) / s;
        out.x = (a[6] + a[2]) / s;
        out.y = (a[7] + a[5]) / s;
        out.z = s / 4;
    }
}

module.exports = {
    createSurface: createSurface,
    fade: fade,
    fadeAway: fadeAway,
    hide: hide,
    isGone: isGone,
    place: place,
    rotationOf: rotationOf,
    show: show
};
