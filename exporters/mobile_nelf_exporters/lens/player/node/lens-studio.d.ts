// The part of Lens Studio's scripting API that lenses of ours use and that this runtime simulates:
// documented members only, in our words. `tsc --checkJs` holds the scripts of a lens against it.
//
// What Lens Studio lets be empty (an input of a script, a custom texture) is `| null`.

declare class vec2 {
    constructor(x: number, y: number);
    x: number;
    y: number;
}

declare class vec3 {
    constructor(x: number, y: number, z: number);
    x: number;
    y: number;
    z: number;
}

declare class vec4 {
    constructor(x: number, y: number, z: number, w: number);
    x: number;
    y: number;
    z: number;
    w: number;
}

/** A rotation. */
declare class quat {
    constructor(w: number, x: number, y: number, z: number);
    w: number;
    x: number;
    y: number;
    z: number;
    multiplyVec3(vector: vec3): vec3;
}

declare class Rect {
    private constructor();
    static create(left: number, right: number, bottom: number, top: number): Rect;
    left: number;
    right: number;
    bottom: number;
    top: number;
}

// ---- Assets ----

/** What a texture's pixels come from. */
declare class TextureProvider {
    protected constructor();
    private provides: "pixels";
}

declare enum Colorspace { R, RG, RGBA, RGBAFloat }

/** Pixels that scripts set. */
declare class ProceduralTextureProvider extends TextureProvider {
    static create(width: number, height: number, colorspace: Colorspace): Texture;
    setPixels(x: number, y: number, width: number, height: number, data: Uint8Array): void;
}

/** A part of another texture. */
declare class RectCropTextureProvider extends TextureProvider {
    inputTexture: Texture | null;
    /** Within that texture, whose borders are -1 and 1. */
    cropRect: Rect;
    rotation: number;
}

declare class RenderTargetProvider extends TextureProvider {
    clearColor: vec4;
    clearColorOption: ClearColorOption;
    /** What CustomTexture clears with. */
    inputTexture: Texture | null;
}

declare enum ClearColorOption { None, Background, CustomColor, CustomTexture }

declare class Texture {
    private constructor();
    readonly control: TextureProvider;
    getWidth(): number;
    getHeight(): number;
}

/** How the pixels of a material are drawn. */
declare class Pass {
    private constructor();
    baseTex: Texture | null;
    baseColor: vec4;
    blendMode: BlendMode;
    depthTest: boolean;
    depthWrite: boolean;
    twoSided: boolean;
}

declare enum BlendMode {
    Normal, Screen, PremultipliedAlpha, AlphaToCoverage, Disabled, Add, AlphaTest, ColoredGlass,
    Multiply, Min, Max, PremultipliedAlphaHardware, PremultipliedAlphaAuto,
}

declare class Material {
    private constructor();
    mainPass: Pass;
    clone(): Material;
    getPass(index: number): Pass;
    getPassCount(): number;
}

declare class RenderMesh {
    private constructor();
    private is: "mesh";
}

declare enum MeshTopology { Triangles, TriangleStrip, TriangleFan, Points, Lines, LineStrip }
declare enum MeshIndexType { None, UInt16 }

declare class MeshBuilder {
    constructor(layout: { name: string, components: number }[]);
    topology: MeshTopology;
    indexType: MeshIndexType;
    appendIndices(indices: number[]): void;
    appendVerticesInterleaved(values: number[]): void;
    getIndicesCount(): number;
    getMesh(): RenderMesh;
    getVerticesCount(): number;
    isValid(): boolean;
    updateMesh(): void;
}

/** A model; empty to scripts. */
declare class MLAsset {
    private constructor();
    private is: "model";
}

// ---- The scene ----

declare class Transform {
    private constructor();
    /** Centimetres. */
    getWorldPosition(): vec3;
    getWorldRotation(): quat;
    getWorldScale(): vec3;
    getLocalPosition(): vec3;
    getLocalRotation(): quat;
    getLocalScale(): vec3;
    setLocalPosition(position: vec3): void;
    setLocalRotation(rotation: quat): void;
    setLocalScale(scale: vec3): void;
    setWorldPosition(position: vec3): void;
    setWorldRotation(rotation: quat): void;
    setWorldScale(scale: vec3): void;
}

declare class Component {
    protected constructor();
    enabled: boolean;
    destroy(): void;
    getSceneObject(): SceneObject;
}

declare class Camera extends Component {
    /** Vertical, in radians. */
    fov: number;
    aspect: number;
    renderTarget: Texture;
    /** Whether it clears the render target before it draws. */
    enableClearColor: boolean;
    /** What it clears with. */
    inputTexture: Texture | null;
    /** How strongly it draws, by the red of each pixel. */
    maskTexture: Texture | null;
    renderOrder: number;
    /** Width and height of what an orthographic camera sees. */
    getOrthographicSize(): vec2;
    isSphereVisible(center: vec3, radius: number): boolean;
    /** The point of the screen, from its top left, so far from the near plane. */
    screenSpaceToWorldSpace(place: vec2, depth: number): vec3;
}

declare class RenderMeshVisual extends Component {
    mainMaterial: Material;
    readonly mainPass: Pass;
    mesh: RenderMesh;
    renderOrder: number;
}

/** Hints of Snapchat itself. */
declare class HintsComponent extends Component {
    hideHint(id: string): boolean;
    /** For some seconds, or for ever if they are -1. */
    showHint(id: string, seconds: number): boolean;
}

declare class DeviceTracking extends Component {
    isDeviceTrackingModeSupported(mode: DeviceTrackingMode): boolean;
    requestDeviceTrackingMode(mode: DeviceTrackingMode): void;
    getActualDeviceTrackingMode(): DeviceTrackingMode;
    getRequestedDeviceTrackingMode(): DeviceTrackingMode;
    hitTestWorldMesh(place: vec2): TrackedMeshHitTestResult[];
    readonly worldOptions: WorldOptions;
    readonly worldTrackingCapabilities: WorldTrackingCapabilities;
}

declare class WorldOptions {
    private constructor();
    enableWorldMeshesTracking: boolean;
    nativePlaneTrackingType: NativePlaneTrackingType;
}

declare enum NativePlaneTrackingType { None, Horizontal, Vertical, Both }
declare enum TrackedPlaneOrientation { Horizontal, Vertical }

declare class WorldTrackingCapabilities {
    private constructor();
    readonly planesTrackingSupported: boolean;
    readonly sceneReconstructionSupported: boolean;
    readonly trackedWorldPointsSupported: boolean;
}

declare class TrackedMeshHitTestResult {
    private constructor();
    readonly normal: vec3;
    readonly position: vec3;
}

/** A surface that the phone found. */
declare class TrackedPlane {
    private constructor();
    readonly isValid: boolean;
    readonly orientation: TrackedPlaneOrientation;
    /** Its centre, centimetres. */
    readonly pivot: vec3;
    /** Width, 0 and depth. */
    readonly size: vec3;
}

declare enum DeviceTrackingMode { Rotation, Surface, World }

declare class ScreenTransform extends Component {
    /** Borders within the parent, from -1 to 1. */
    anchors: Rect;
    position: vec3;
}

declare class Text extends Component {
    text: string;
    size: number;
    horizontalOverflow: HorizontalOverflow;
    textFill: TextFill;
}

declare enum HorizontalOverflow { Overflow, Truncate, Wrap, Shrink }

declare class TextFill {
    private constructor();
    color: vec4;
}

interface ComponentNameMap {
    "Component.Camera": Camera;
    "Component.DeviceTracking": DeviceTracking;
    "Component.HintsComponent": HintsComponent;
    "Component.MLComponent": MLComponent;
    "Component.RenderMeshVisual": RenderMeshVisual;
    "Component.ScreenTransform": ScreenTransform;
    "Component.Text": Text;
}

/** One or more layers of the scene. */
declare class LayerSet {
    private constructor();
    private is: "layers";
}

declare class SceneObject {
    private constructor();
    enabled: boolean;
    layer: LayerSet;
    name: string;
    createComponent<Name extends keyof ComponentNameMap>(type: Name): ComponentNameMap[Name];
    getComponent<Name extends keyof ComponentNameMap>(type: Name): ComponentNameMap[Name];
    getTransform(): Transform;
    setParent(parent: SceneObject): void;
}

// ---- Models ----

declare class Transformer {
    private constructor();
    private turns: "pictures";
}

declare class BasePlaceholder {
    protected constructor();
    dataLayout: MachineLearning.DataLayout;
    readonly name: string;
    /** Width, height, channels. */
    readonly shape: vec3;
}

declare class InputPlaceholder extends BasePlaceholder {
    /** To be written, not replaced. */
    readonly data: Float32Array;
    texture: Texture | null;
}

declare class OutputPlaceholder extends BasePlaceholder {
    readonly data: Float32Array;
    mode: MachineLearning.OutputMode;
    /** There from the first run on. */
    readonly texture: Texture;
}

declare class TransformerBuilder {
    private constructor();
    setFlipX(flip: boolean): TransformerBuilder;
    setFlipY(flip: boolean): TransformerBuilder;
    build(): Transformer;
}

declare class InputBuilder {
    private constructor();
    setName(name: string): InputBuilder;
    setShape(shape: vec3): InputBuilder;
    setInputTexture(texture: Texture): InputBuilder;
    setTransformer(transformer: Transformer): InputBuilder;
    build(): InputPlaceholder;
}

declare class OutputBuilder {
    private constructor();
    setName(name: string): OutputBuilder;
    setShape(shape: vec3): OutputBuilder;
    setOutputMode(mode: MachineLearning.OutputMode): OutputBuilder;
    setTransformer(transformer: Transformer): OutputBuilder;
    build(): OutputPlaceholder;
}

declare namespace MachineLearning {
    enum DataLayout { NCHW, NHWC }
    enum FrameTiming { None, Update, LateUpdate, OnRender }
    enum InferenceMode { CPU, GPU, Accelerator, Auto, NativeCPU, NativeCPUAndNPU }
    enum ModelState { Loading, Running, Idle, NotReady, LoadingError }
    enum OutputMode { Data, Texture }
    function createInputBuilder(): InputBuilder;
    function createOutputBuilder(): OutputBuilder;
    function createTransformerBuilder(): TransformerBuilder;
}

declare class MLComponent extends Component {
    inferenceMode: MachineLearning.InferenceMode;
    model: MLAsset | null;
    readonly state: MachineLearning.ModelState;
    onLoadingFinished: () => void;
    onLoadingFailed: (error: string) => void;
    onRunningFinished: () => void;
    onRunningFailed: (error: string) => void;
    /** Takes from the asset what the list does not say. */
    build(placeholders: BasePlaceholder[]): void;
    getInput(name: string): InputPlaceholder;
    getInputs(): InputPlaceholder[];
    getOutput(name: string): OutputPlaceholder;
    getOutputs(): OutputPlaceholder[];
    isRecurring(): boolean;
    runImmediate(sync: boolean): void;
    runScheduled(
        recurring: boolean,
        start: MachineLearning.FrameTiming,
        end: MachineLearning.FrameTiming,
    ): void;
    stop(): void;
}

// ---- Scripts ----

declare class SceneEvent {
    protected constructor();
    private happens: "in the scene";
}

declare class OnStartEvent extends SceneEvent {}

/** The phone's front camera is on from now on. */
declare class CameraFrontEvent extends SceneEvent {}
declare class CameraBackEvent extends SceneEvent {}
declare class OnPauseEvent extends SceneEvent {}
declare class TurnOffEvent extends SceneEvent {}

declare class WorldTrackingPlanesAddedEvent extends SceneEvent {
    getPlanes(): TrackedPlane[];
}

declare class UpdateEvent extends SceneEvent {
    /** Seconds since the frame before. */
    getDeltaTime(): number;
}

declare class LateUpdateEvent extends SceneEvent {
    getDeltaTime(): number;
}

declare class TouchEvent extends SceneEvent {
    getTouchId(): number;
    /** Fractions of the screen from its top left. */
    getTouchPosition(): vec2;
}

declare class TouchStartEvent extends TouchEvent {}
declare class TouchMoveEvent extends TouchEvent {}
declare class TouchEndEvent extends TouchEvent {}

interface EventNameMap {
    OnStartEvent: OnStartEvent;
    UpdateEvent: UpdateEvent;
    LateUpdateEvent: LateUpdateEvent;
    TouchStartEvent: TouchStartEvent;
    TouchMoveEvent: TouchMoveEvent;
    TouchEndEvent: TouchEndEvent;
    CameraFrontEvent: CameraFrontEvent;
    CameraBackEvent: CameraBackEvent;
    OnPauseEvent: OnPauseEvent;
    TurnOffEvent: TurnOffEvent;
    WorldTrackingPlanesAddedEvent: WorldTrackingPlanesAddedEvent;
}

interface BoundEvent<Event> {
    bind(handler: (event: Event) => void): void;
}

/** Inputs of a script are members of it too: whoever checks a script declares them. */
interface ScriptComponent {
    createEvent<Name extends keyof EventNameMap>(type: Name): BoundEvent<EventNameMap[Name]>;
    getSceneObject(): SceneObject;
}

/** Only scripts of the scene have it, not modules that they require. */
declare const script: ScriptComponent;

declare class ScriptScene {
    private constructor();
    createSceneObject(name: string): SceneObject;
    /** "back" or "front". */
    getCameraType(): string;
}

declare class TouchDataProvider {
    private constructor();
    /** Whether touches stay with the lens. */
    touchBlocking: boolean;
    /** Lets Snapchat have a kind of touch, such as TouchTypeDoubleTap. */
    enableTouchBlockingException(exception: string, enable: boolean): void;
}

declare namespace global {
    const scene: ScriptScene;
    const touchSystem: TouchDataProvider;
}

declare function getDeltaTime(): number;
declare function getTime(): number;
declare function isNull(value: unknown): boolean;
declare function print(message: unknown): void;
