// The part of Lens Studio's API for plugins that open_in_lens_studio.js uses, in our words, after its
// published declarations (public-editor.d.ts of 5.23 and 5.25).

declare namespace Editor {
    function isNull(object: unknown): boolean;

    class Path {
        constructor(path: string);
        appended(path: Path): Path;
        readonly fileName: Path;
        toString(): string;
    }

    class PluginSystem {
        private constructor();
        findInterface(id: InterfaceId): object;
    }

    class InterfaceId {
        private constructor();
        private is: "id";
    }

    namespace Model {
        class IModel {
            private constructor();
            openProject(path: Path): void;
            readonly project: Project;
            static readonly interfaceId: InterfaceId;
        }

        class Project {
            private constructor();
            save(): void;
            readonly assetManager: AssetManager;
            readonly metaInfo: MetaInfo;
            readonly scene: Assets.Scene;
        }

        class AssetManager {
            private constructor();
            rename(fileMeta: AssetImportMetadata, newName: string): void;
            readonly assets: Assets.Asset[];
        }

        class AssetImportMetadata {
            private constructor();
            readonly assetTreePath: SourcePath;
        }

        class SourcePath {
            private constructor();
            toString(): string;
        }

        class MetaInfo {
            private constructor();
            activationCamera: LensActivationCamera;
            lensApplicability: LensApplicability[];
            lensName: string;
        }

        class SceneObject {
            private constructor();
            name: string;
        }

        enum LensActivationCamera { Front, Rear }
        enum LensApplicability { Front, Back }
    }

    namespace Assets {
        class Asset {
            protected constructor();
            readonly cacheFile: Path;
            readonly fileMeta: Model.AssetImportMetadata;
            name: string;
            getTypeName(): string;
            isOfType(type: string): boolean;
        }

        class Material extends Asset {
            readonly passInfos: PassInfo[];
        }

        class PassInfo {
            private constructor();
            getPropertyNames(): string[];
        }

        class ScriptAsset extends Asset {}

        class Scene extends Asset {
            findComponents(entityType: string): Components.Component[];
        }
    }

    namespace Components {
        class Component {
            protected constructor();
            readonly sceneObject: Model.SceneObject;
        }

        class ScriptComponent extends Component {
            readonly inputNames: string[];
            scriptAsset: Assets.ScriptAsset;
        }
    }
}

declare class console {
    static log(...data: unknown[]): void;
}

declare module "LensStudio:FileSystem" {}
declare module "LensStudio:App" {}

// What a script of the command line is given.
declare const pluginSystem: Editor.PluginSystem;
declare const args: string[];
