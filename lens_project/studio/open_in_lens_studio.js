// Opens this lens in Lens Studio, sets its camera, makes the material that it needs, saves it, and says
// what Lens Studio made of it. `mnelf lens open` runs it; by hand:
//
//     "<Lens Studio>" --exec run-script -f open_in_lens_studio.js -a <project>.esproj
//
// Each line that begins with NELF_OPENED holds a report as JSON; the last one is complete. Written
// against Lens Studio's published declarations for plugins, and never run in Lens Studio by its authors.
"use strict";

const SCRIPTS = ["NelfController", "NelfObject"];
const MATERIAL = "Nelf Picture";
// Where Lens Studio keeps its presets. Neither folder nor preset is in the declarations.
const PRESETS = "JsPlugins/PresetsRegistry/PresetsRegistry/PresetsRegistry.js";

/** @typedef {{name: string, type: string, path: string, cache: string}} Asset cache: file of a model */
/** @typedef {{object: string, script: string, inputs: Object<string, string>}} Component */
/** @typedef {{name: string, properties: string[], on: string[]}} Material on: objects that got it */

/** @type {{schema: number, complete: boolean, lensStudio: string, project: string, lensName: string,
 *     assets: Asset[], components: Component[], camera: {before: string, after: string},
 *     material: Material, problems: string[]}} */
const report = {
    schema: 1,
    complete: false,
    lensStudio: "",
    project: "",
    lensName: "",
    assets: [],
    components: [],
    camera: { before: "", after: "" },
    material: { name: "", properties: [], on: [] },
    problems: []
};

/** @param {string} what @param {unknown} error */
function note(what, error) {
    report.problems.push(what + ": " + (error instanceof Error ? error.message : String(error)));
}

/** @param {string} what @param {() => void} action */
function attempt(what, action) {
    try {
        action();
    } catch (error) {
        note(what, error);
    }
}

function tell() {
    console.log("NELF_OPENED " + JSON.stringify(report));
}

/** @param {Editor.Model.Project} project */
function listAssets(project) {
    report.assets = project.assetManager.assets.map(function (asset) {
        const meta = asset.fileMeta;
        return {
            name: asset.name,
            type: asset.getTypeName(),
            path: Editor.isNull(meta) ? "" : meta.assetTreePath.toString(),
            cache: asset.isOfType("MLAsset") ? String(asset.cacheFile) : ""
        };
    });
}

/** Components of ours, which have their inputs as members. @param {Editor.Model.Project} project
 * @returns {Editor.Components.ScriptComponent[]} */
function ours(project) {
    const found = /** @type {Editor.Components.ScriptComponent[]} */ (
        project.scene.findComponents("ScriptComponent"));
    return found.filter(function (component) {
        return !Editor.isNull(component.scriptAsset)
            && SCRIPTS.indexOf(component.scriptAsset.name) >= 0;
    });
}

/** @param {unknown} value of an input */
function shown(value) {
    if (value === null || value === undefined || typeof value !== "object") {
        return String(value);
    }
    if (Editor.isNull(value)) {
        return "";
    }
    return "name" in value ? String(value.name) : String(value);
}

/** @param {Editor.Model.Project} project */
function listComponents(project) {
    report.components = ours(project).map(function (component) {
        const members = /** @type {any} */ (component);
        /** @type {Object<string, string>} */ const inputs = {};
        component.inputNames.forEach(function (name) {
            inputs[name] = shown(members[name]);
        });
        return {
            object: component.sceneObject.name, script: component.scriptAsset.name, inputs: inputs
        };
    });
}

/** @param {Editor.Model.LensActivationCamera} camera */
function cameraName(camera) {
    return camera === Editor.Model.LensActivationCamera.Rear ? "Rear" : "Front";
}

/** A lens for the camera at the back alone begins with it. @param {Editor.Model.MetaInfo} info */
function setCamera(info) {
    report.lensName = info.lensName;
    report.camera.before = cameraName(info.activationCamera);
    const front = info.lensApplicability.indexOf(Editor.Model.LensApplicability.Front) >= 0;
    if (!front) {
        info.activationCamera = Editor.Model.LensActivationCamera.Rear;
    }
    report.camera.after = cameraName(info.activationCamera);
}

/** Lens Studio's own material Image, by way of its presets. @returns {Promise<Editor.Assets.Material>} */
async function makeMaterial() {
    const files = /** @type {any} */ (await import("LensStudio:FileSystem"));
    const path = files.getPluginsFolder().appended(new Editor.Path(PRESETS)).toString();
    const presets = await import(path);
    return new presets.ImageMaterialPreset(pluginSystem).createAsync(new Editor.Path("Assets"));
}

/** Makes a material for components of ours that have none. @param {Editor.Model.Project} project */
async function giveMaterial(project) {
    const lacking = ours(project).filter(function (component) {
        return component.inputNames.indexOf("material") >= 0
            && Editor.isNull(/** @type {any} */ (component).material);
    });
    if (lacking.length === 0) {
        return;
    }
    const material = await makeMaterial();
    if (!Editor.isNull(material.fileMeta)) {
        project.assetManager.rename(material.fileMeta, MATERIAL);
    }
    report.material.name = material.name;
    report.material.properties = material.passInfos[0].getPropertyNames();
    lacking.forEach(function (component) {
        /** @type {any} */ (component).material = material;
        report.material.on.push(component.sceneObject.name);
    });
}

async function open() {
    attempt("Lens Studio did not open the project", function () {
        const path = new Editor.Path(args[0]);
        report.project = path.fileName.toString();
        model.openProject(path);
    });
    const project = model.project;
    attempt("the assets", function () { listAssets(project); });
    attempt("the camera", function () { setCamera(project.metaInfo); });
    attempt("the components", function () { listComponents(project); });
    attempt("saving", function () { project.save(); });
    // In case that Lens Studio ends before the material is there.
    tell();
    try {
        const app = /** @type {any} */ (await import("LensStudio:App"));
        report.lensStudio = String(app.version);
    } catch (error) {
        note("the version of Lens Studio", error);
    }
    try {
        await giveMaterial(project);
    } catch (error) {
        note("the material", error);
    }
    attempt("the components", function () { listComponents(project); });
    attempt("saving", function () { project.save(); });
    report.complete = true;
    tell();
}

const model = /** @type {Editor.Model.IModel} */ (
    pluginSystem.findInterface(Editor.Model.IModel.interfaceId));
open();
