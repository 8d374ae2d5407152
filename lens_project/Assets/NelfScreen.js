// The picture on the whole screen, for a lens without a material: the render target is cleared with it. What
// the screen shows of its texture is a crop, which makes it as large as fingers ask for. The texture has a
// border of background, which is what the crop repeats around it.
"use strict";

/** @param {RenderTargetProvider} target that is cleared @param {Texture} crop a Screen Crop Texture */
function createScreen(target, crop) {
    return {
        target: target,
        crop: crop,
        control: /** @type {RectCropTextureProvider} */ (crop.control),
        rect: Rect.create(-1, 1, -1, 1) // written anew, so that no frame leaves garbage
    };
}

/** @typedef {ReturnType<typeof createScreen>} Screen */

/** Shows what the model drew. @param {Screen} screen @param {Texture | null} texture */
function show(screen, texture) {
    if (texture) {
        screen.control.inputTexture = texture;
        screen.target.inputTexture = screen.crop;
        screen.target.clearColorOption = ClearColorOption.CustomTexture;
    }
}

/** Puts the texture into the middle of the screen. @param {Screen} screen @param {number} width of it, in
 * widths of the screen @param {number} height likewise */
function place(screen, width, height) {
    const rect = screen.rect;
    rect.left = -1 / width;
    rect.right = 1 / width;
    rect.bottom = -1 / height;
    rect.top = 1 / height;
    screen.control.cropRect = rect;
}

module.exports = { createScreen: createScreen, place: place, show: show };
