// Types of NelfObject.js for scripts in TypeScript:
//
//     import { NelfObject } from "./<Name>.lspkg/NelfObjectTypes"
//
//     @input("Component.ScriptComponent")
//     mic: NelfObject
//
// and in OnStartEvent: this.mic.onTapped.add(() => print("tapped"))

/** Lens Studio expects a component in the file; this one does nothing. */
@component
export class NelfObjectTypes extends BaseScriptComponent {}

/** Something that happens. */
export interface NelfSignal<Value> {
    add(callback: (value: Value) => void): void;
    remove(callback: (value: Value) => void): void;
}

/** The script component NelfObject, at run time. */
export interface NelfObject extends ScriptComponent {
    /** Whether the model is loaded. */
    isReady: boolean;
    /** The model is loaded; at once for who comes later. */
    onReady: NelfSignal<void>;
    /** The object cannot be shown, and why. */
    onFailed: NelfSignal<string>;
    /** It was put somewhere, in centimetres of the world. */
    onPlaced: NelfSignal<vec3>;
    /** A finger tapped it. */
    onTapped: NelfSignal<void>;
    /** Puts its foot somewhere, upright, its front towards the camera. */
    place(position: vec3): void;
}
