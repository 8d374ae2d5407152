// Scene objects, their components and the clock of frames.
"use strict";
const { LensApiError, documented, enumeration, secretOf } = require("./documented");
const { vec2, vec3, vec4 } = require("./maths");
const ml = require("./ml");
const textures = require("./textures");
const tracking = require("./tracking");
const { Place, inverted, list, rotated, transformOf } = require("./transforms");
const visuals = require("./visuals");

// Declarations: names and order are theirs.
const ClearColorOption = enumeration("ClearColorOption",
    ["None", "Background", "CustomColor", "CustomTexture"]);
const HorizontalOverflow = enumeration("HorizontalOverflow",
    ["Overflow", "Truncate", "Wrap", "Shrink"]);

const DEGREE = Math.PI / 180;

class Scene {
    // `isLate`: see ml.js. `isFront`: which camera of the phone is on. The rest: see tracking.js.
    constructor(project, screen, { isLate, isFront, isTracked, hasPlanes, floor }) {
        this.isLate = isLate;
        this.isFront = isFront;
        this.phone = { isTracked, hasPlanes, floor, options: tracking.createWorldOptions() };
        this.hints = new Set();
        this.visuals = []; // {object, drawn}
        this.touchExceptions = new Set();
        this.parts = new Map(); // objects and components of the scene by id
        this.components = []; // what takes part in a frame: {atTiming}
        this.handlers = []; // {type, handler}
        this.pending = []; // callbacks that come after the scripts
        this.texts = []; // {text, object}
        this.assets = new Map();
        this.time = 0;
        this.delta = 0;
        this.device = { position: [0, 0, 0], rotation: [1, 0, 0, 0], fov: null };
        this.cost = { runs: 0, writtenBytes: 0 };
        this.screen = screen;
        this.cameras = []; // {object, members, isOrthographic, ray}
        // Render targets refer to other textures.
        const isTarget = (asset) => asset.kind === "RenderTarget";
        project.assets.filter((asset) => !isTarget(asset)).forEach((asset) => this.register(asset));
        project.assets.filter(isTarget).forEach((asset) => this.register(asset));
        this.output = textures.of(project.renderOutput);
        this.roots = project.objects.map((object) => this.sceneObject(object));
        this.roots.forEach((object, index) => {
            const above = project.objects.findIndex(({ id }) => id === project.objects[index].parent);
            if (above >= 0) {
                object.parent = this.roots[above];
                object.place.parent = this.roots[above].place;
            }
        });
    }

    register(asset) {
        if (asset.kind === "RenderTarget") {
            // Declarations: a render target of the screen's resolution reports that size.
            const size = asset.useScreenResolution ? this.screen : asset.resolution;
            const control = documented("RenderTargetProvider", {
                clearColorOption: ClearColorOption[asset.clearColorOption],
                clearColor: new vec4(...asset.clearColor),
                inputTexture: textures.of(asset.inputTexture),
            });
            this.assets.set(asset.id, textures.register(asset.id, size[0], size[1], { control }));
        } else if (asset.crop) {
            this.assets.set(asset.id, textures.registerCrop(asset.id, asset.crop));
        } else if (asset.kind === "Texture") {
            const [width, height] = this.screen;
            this.assets.set(asset.id,
                textures.register(asset.id, width, height, { isCamera: asset.isCamera }));
        } else if (asset.kind === "Material") {
            this.assets.set(asset.id, visuals.createMaterial(visuals.createPass()));
        } else if (asset.kind === "FileMLAsset") {
            this.assets.set(asset.id,
                documented("MLAsset", {}, { secret: { kind: "MLAsset", model: asset } }));
        }
    }

    asset(id) {
        return id === null ? null : this.assets.get(id);
    }

    // The value of a script's input.
    given(input) {
        if (input.part !== undefined) {
            return this.parts.get(input.part);
        }
        return input.asset === undefined ? input.value : this.asset(input.asset);
    }

    later(callback) {
        this.pending.push(callback);
    }

    countRun(bytes) {
        this.cost.runs += 1;
        this.cost.writtenBytes += bytes;
    }

    // Anything that a script can hold of the scene.
    sceneObject({ id = null, name, components, place = {} }) {
        const attached = [];
        const object = { place: new Place(place), parent: null, onScreen: false, camera: null };
        const transform = transformOf(object.place);
        const members = {
            name,
            layer: documented("LayerSet", {}, { secret: { kind: "LayerSet" } }),
            enabled: true,
            setParent: (parent) => {
                const secret = secretOf(parent);
                if (!secret || !secret.sceneObject) {
                    throw new LensApiError("SceneObject.setParent takes a SceneObject");
                }
                object.parent = secret.sceneObject;
                object.place.parent = secret.sceneObject.place;
            },
            getTransform: () => transform,
            getComponent: (type) => {
                const found = attached.find((item) => item.type === type);
                return found ? found.component : null;
            },
            createComponent: (type) => {
                const component = this.createComponent(type, object);
                attached.push({ type, component });
                return component;
            },
        };
        object.proxy = documented("SceneObject", members, { secret: { sceneObject: object } });
        object.isEnabled = () => members.enabled && (!object.parent || object.parent.isEnabled());
        for (const spec of components) {
            const type = `Component.${spec.kind}`;
            if (spec.kind === "Camera") {
                attached.push({ type, component: this.camera(spec, object) });
            } else if (spec.kind === "DeviceTracking") {
                attached.push({ type, component: this.createComponent(type, object) });
            } else {
                continue;
            }
            this.parts.set(spec.id, attached[attached.length - 1].component);
        }
        if (id !== null) {
            this.parts.set(id, object.proxy);
        }
        object.scripts = components.filter((spec) => spec.kind === "ScriptComponent");
        return object;
    }

    camera(spec, object) {
        const { isOrthographic } = spec;
        const aspect = () => members.renderTarget.getWidth() / members.renderTarget.getHeight();
        // Declarations: radians. A camera whose device property is All is taken to have the vertical
        // field of view of the phone and the aspect of its render target; scripts of ours measure both.
        const fov = () => (this.device.fov === null ? spec.fov : this.device.fov) * DEGREE;
        // Declarations: (0, 0) is the top left of the screen. In the world.
        const ray = (x, y) => {
            const { position, rotation } = object.place.world();
            const high = Math.tan(fov() / 2);
            const local = [(2 * x - 1) * high * aspect(), (1 - 2 * y) * high, -1];
            return { origin: position, direction: rotated(rotation, local) };
        };
        const members = {
            renderTarget: textures.of(spec.renderTarget),
            enabled: spec.enabled,
            renderOrder: spec.renderOrder,
            enableClearColor: false,
            inputTexture: null,
            maskTexture: null,
            getSceneObject: () => object.proxy,
            // Guess ortho-size: the serialised size is the height of what is seen.
            getOrthographicSize: () => new vec2(spec.size * aspect(), spec.size),
            // Declarations: so far from the near plane.
            screenSpaceToWorldSpace: ({ x, y }, depth) => {
                const { origin, direction } = ray(x, y);
                return new vec3(...origin.map((value, i) => value + (spec.near + depth) * direction[i]));
            },
            isSphereVisible: (centre, radius) => {
                const { position, rotation } = object.place.world();
                const away = list(centre).map((value, i) => value - position[i]);
                const [x, y, z] = rotated(inverted(rotation), away);
                const high = Math.tan(fov() / 2);
                const within = (aside, tangent) => (
                    Math.abs(aside) + z * tangent <= radius * Math.hypot(1, tangent));
                return -z + radius > spec.near && within(x, high * aspect()) && within(y, high);
            },
        };
        Object.defineProperty(members, "fov", {
            get: fov,
            set() { throw new LensApiError("Camera.fov: setting it is not simulated"); },
        });
        Object.defineProperty(members, "aspect", {
            get: aspect,
            set() { throw new LensApiError("Camera.aspect: setting it is not simulated"); },
        });
        object.camera = { object, members, isOrthographic, ray, size: spec.size };
        this.cameras.push(object.camera);
        return documented("Camera", members);
    }

    createComponent(type, object) {
        switch (type) {
            case "Component.MLComponent":
                return ml.createMLComponent(this);
            case "Component.RenderMeshVisual": {
                const { component, drawn } = visuals.createRenderMeshVisual(object);
                this.visuals.push({ object, drawn });
                return component;
            }
            case "Component.HintsComponent":
                return tracking.createHints(this.hints);
            case "Component.Text": {
                // Guess text: it is visible without a font or a material.
                const text = documented("Text", {
                    text: "",
                    size: 48,
                    enabled: true,
                    horizontalOverflow: HorizontalOverflow.Overflow,
                    textFill: documented("TextFill", { color: new vec4(1, 1, 1, 1) }),
                });
                this.texts.push({ text, object });
                return text;
            }
            case "Component.ScreenTransform":
                object.onScreen = true;
                return documented(type, { anchors: null, position: new vec3(0, 0, 0) });
            case "Component.DeviceTracking":
                object.place.tracked = () => this.device;
                return tracking.createDeviceTracking(this.phone, () => object.camera);
            default:
                throw new LensApiError(`SceneObject.createComponent: ${type} is not simulated`);
        }
    }

    // What scripts call `script`, and other scripts too that have it as an input. Declarations: a
    // disabled component does not enact its behaviour; here no event reaches it. Guide "Accessing
    // Components": what a script assigns to it, other scripts see.
    scriptOf(object, { id, enabled }) {
        const members = {
            getSceneObject: () => object.proxy,
            createEvent: (type) => {
                if (!EVENTS.includes(type)) {
                    throw new LensApiError(`ScriptComponent.createEvent: ${type} is not simulated`);
                }
                return documented(type, {
                    bind: (handler) => {
                        if (typeof handler !== "function") {
                            throw new LensApiError(`${type}.bind takes a function`);
                        }
                        if (enabled) {
                            this.handlers.push({ type, handler });
                        }
                    },
                });
            },
        };
        const proxy = documented("script", members, { isOpen: true });
        this.parts.set(id, proxy);
        return { proxy, give: (inputs) => Object.assign(members, inputs) };
    }

    dispatch(type, event) {
        for (const { type: bound, handler } of this.handlers.slice()) {
            if (bound === type) {
                handler(event);
            }
        }
    }

    runPending() {
        const due = this.pending;
        this.pending = [];
        due.forEach((callback) => callback());
    }

    // Declarations: Update models run before the scripts' update, LateUpdate ones after it and before
    // LateUpdateEvent, OnRender ones while the frame is drawn.
    frame(delta) {
        this.time += delta;
        this.delta = delta;
        const event = (name) => documented(name, { getDeltaTime: () => delta });
        this.runPending();
        this.runModels(ml.FrameTiming.Update);
        this.dispatch("UpdateEvent", event("UpdateEvent"));
        this.runModels(ml.FrameTiming.LateUpdate);
        this.dispatch("LateUpdateEvent", event("LateUpdateEvent"));
        this.runModels(ml.FrameTiming.OnRender);
    }

    runModels(timing) {
        for (const component of this.components) {
            component.atTiming(timing);
        }
    }

    // What the render target is cleared with. Declarations: the first camera that draws to it does;
    // a custom texture that is null gives way to the colour.
    shown() {
        const nothing = { kind: "colour", colour: [0, 0, 0] };
        const drawing = ({ members }) => members.enabled && members.renderTarget === this.output;
        const { control } = this.output;
        const option = control.clearColorOption;
        if (!this.cameras.some(drawing) || option === ClearColorOption.None) {
            return nothing;
        }
        if (option === ClearColorOption.Background) {
            return { kind: "camera" };
        }
        if (option === ClearColorOption.CustomTexture && control.inputTexture) {
            if (textures.isCamera(control.inputTexture)) {
                return { kind: "camera" };
            }
            const source = textures.sourceOf(control.inputTexture);
            return source ? { kind: "texture", ...source } : nothing;
        }
        const { x, y, z } = control.clearColor;
        return { kind: "colour", colour: [x, y, z] };
    }

    // The camera that draws what has a place in the world: the first one.
    view() {
        const camera = this.cameras.find(
            ({ members }) => members.enabled && members.renderTarget === this.output);
        if (!camera) {
            return null;
        }
        const { position, rotation } = camera.object.place.world();
        return {
            position, rotation, fov: camera.members.fov, is_orthographic: camera.isOrthographic,
            size: camera.size,
        };
    }

    // What cameras after the first clear the screen with, in their order. Declarations: a camera with
    // enableClearColor clears with its inputTexture; red of its maskTexture says how strongly it draws. That
    // both fill the screen, and that the mask holds for what it clears with, is guess mask.
    masked() {
        return this.cameras.filter(({ members }) => members.enabled && members.enableClearColor
            && members.renderTarget === this.output)
            .sort((a, b) => a.members.renderOrder - b.members.renderOrder)
            .map(({ members: { inputTexture, maskTexture } }) => {
                const [colour, mask] = [inputTexture, maskTexture].map(
                    (texture) => texture && textures.sourceOf(texture));
                if (!colour || !mask) {
                    throw new LensApiError("a camera that clears is simulated only with a colour and a "
                        + "mask that models drew");
                }
                return { colour, mask };
            });
    }

    // Meshes in the world with a texture, as they are drawn: by their order, by guess render-order, and of
    // one order as they were made.
    surfaces() {
        const found = [];
        const visuals = this.visuals.filter(({ object }) => object.isEnabled())
            .map(({ object, drawn }) => ({ object, visual: drawn() }))
            .filter(({ visual }) => visual !== null)
            .sort((a, b) => a.visual.order - b.visual.order);
        for (const { object, visual } of visuals) {
            const { drawn: by } = secretOf(visual.pass.baseTex) || {};
            if (by) {
                const { x, y, z, w } = visual.pass.baseColor;
                found.push({
                    ...by,
                    blend: visual.blend,
                    tint: [x, y, z, w],
                    vertices: visual.mesh.vertices.map(
                        ({ position, texture0 }) => [...object.place.point(position), ...texture0]),
                    triangles: visual.mesh.triangles,
                });
            }
        }
        return found;
    }

    // Guide "Screen Transform": it is placed only below another one or below an orthographic camera.
    isPlaced(object) {
        if (!object.onScreen) {
            return true;
        }
        for (let above = object.parent; above !== null; above = above.parent) {
            if (above.camera !== null) {
                const { isOrthographic, members } = above.camera;
                return isOrthographic && members.enabled && members.renderTarget === this.output;
            }
        }
        return false;
    }

    status() {
        return this.texts.filter(({ text, object }) => text.enabled && text.text && this.isPlaced(object))
            .map(({ text }) => text.text).join("\n");
    }
}

const EVENTS = ["OnStartEvent", "UpdateEvent", "LateUpdateEvent",
    "TouchStartEvent", "TouchMoveEvent", "TouchEndEvent",
    "CameraFrontEvent", "CameraBackEvent", "OnPauseEvent", "TurnOffEvent",
    "WorldTrackingPlanesAddedEvent"];

module.exports = { ClearColorOption, HorizontalOverflow, Scene };
