// Stands for Lens Studio on the command line: opens a project, runs a script with the members that
// editor.d.ts declares and no others, and saves what it did.
//
// usage: node --experimental-vm-modules editor.mjs MODE VERSION --exec run-script -f SCRIPT -a PROJECT
// MODE: plain, hang (never ends), early (ends before the material), presets (has none),
// word (writes another word for the camera), scales (imports models with a scale of 0.5), broken
import fs from "node:fs";
import path from "node:path";
import vm from "node:vm";

const [mode, version, ...line] = process.argv.slice(2);
const option = (name) => line[line.indexOf(name) + 1];
if (line[0] !== "--exec" || line[1] !== "run-script") {
    throw new Error(`unknown command line ${line}`);
}

function strict(name, members) {
    return new Proxy(members, {
        get(target, key) {
            if (typeof key !== "symbol" && key !== "then" && !(key in target)) {
                throw new Error(`${name}.${key} is not declared`);
            }
            return target[key];
        },
        set(target, key, value) {
            if (!(key in target)) {
                throw new Error(`${name}.${String(key)} is not declared`);
            }
            target[key] = value;
            return true;
        },
    });
}

class Path {
    constructor(text) { this.text = text; }
    appended(other) { return new Path(`${this.text}/${other.text}`); }
    get fileName() { return new Path(path.basename(this.text)); }
    toString() { return this.text; }
}

const NIL = "00000000-0000-0000-0000-000000000000";
const LensActivationCamera = { Front: 0, Rear: 1 };
const LensApplicability = { Front: 0, Back: 1 };
const IModel = { interfaceId: "IModel" };
const state = { file: null, folder: null, assets: [], components: [], info: null };

function asset(name, type, file, id) {
    const meta = file && strict("AssetImportMetadata", {
        assetTreePath: strict("SourcePath", { toString: () => file }),
    });
    const members = {
        name, fileMeta: meta, cacheFile: new Path(`${state.folder}/Cache/${id}.dnn`),
        getTypeName: () => type,
        isOfType: (wanted) => wanted === type || (wanted === "MLAsset" && type === "FileMLAsset"),
    };
    state.ids.set(members, id);
    return members;
}

function openProject({ text }) {
    if (mode === "broken") {
        throw new Error("cannot be opened");
    }
    Object.assign(state, { file: text, folder: path.dirname(text), ids: new Map() });
    const settings = fs.readFileSync(text, "utf8");
    const listed = /lensApplicability:\n((?: {4}- \w+\n)+)/.exec(settings)[1];
    state.info = strict("MetaInfo", {
        lensName: JSON.parse(/lensName: (.*)/.exec(settings)[1]),
        lensApplicability: [...listed.matchAll(/- (\w+)/g)].map((m) => LensApplicability[m[1]]),
        activationCamera: LensActivationCamera[/activationCamera: (\w+)/.exec(settings)[1]],
    });
    const byId = new Map();
    for (const name of fs.readdirSync(path.join(state.folder, "Assets"), { recursive: true })) {
        if (name.endsWith(".meta")) {
            const meta = fs.readFileSync(path.join(state.folder, "Assets", name), "utf8");
            const [, kind, id] = /ImportedAssetIds:\n {4}(\w+): !<reference> (\S+)/.exec(meta);
            const file = name.slice(0, -".meta".length);
            byId.set(id, strict(kind, asset(path.parse(file).name, kind, `Assets/${file}`, id)));
        }
    }
    state.assets = [...byId.values()];
    for (const [file, found] of modelFiles()) {
        fs.mkdirSync(path.dirname(String(found.cacheFile)), { recursive: true });
        fs.writeFileSync(String(found.cacheFile),
            Buffer.alloc(fs.statSync(file).size >> 1));
    }
    const scene = fs.readFileSync(path.join(state.folder, "Assets/Scene.scene"), "utf8");
    const entities = scene.split(/^(?=- )/m);
    for (const text of entities.filter((entity) => entity.startsWith("- !<ScriptComponent/"))) {
        const id = /\/([^>]+)>/.exec(text)[1];
        const owner = entities.find((entity) => entity.includes(`!<own> ${id}`));
        const members = {
            scriptAsset: byId.get(/ScriptAsset: !<reference> (\S+)/.exec(text)[1]),
            sceneObject: strict("SceneObject", { name: /Name: (.*)/.exec(owner)[1] }),
            inputNames: [],
        };
        for (const [, name, value] of text.matchAll(/^ {6}(\w+): (.*)$/gm)) {
            const reference = /!<reference\.\w+> (\S+)/.exec(value);
            members.inputNames.push(name);
            members[name] = reference ? byId.get(reference[1]) || null : value;
        }
        state.components.push(strict("ScriptComponent", members));
    }
}

function modelFiles() {
    return state.assets.filter((found) => found.isOfType("MLAsset")).map(
        (found) => [path.join(state.folder, found.fileMeta.assetTreePath.toString()), found]);
}

// A newer version writes its own numbers; ids and names are those of the project.
function save() {
    const [major, minor, patch] = version.split(".");
    const word = mode === "word" ? "Back" : "Rear";
    const camera = state.info.activationCamera === LensActivationCamera.Rear ? word : "Front";
    const settings = fs.readFileSync(state.file, "utf8")
        .replace(/major: \d+\n {2}minor: \d+\n {2}patch: \d+/,
            `major: ${major}\n  minor: ${minor}\n  patch: ${patch}`)
        .replace(/activationCamera: \w+/, `activationCamera: ${camera}`);
    fs.writeFileSync(state.file, settings);
    if (mode === "scales") {
        for (const [file] of modelFiles()) {
            const meta = fs.readFileSync(`${file}.meta`, "utf8");
            fs.writeFileSync(`${file}.meta`, meta.replace(/scale: 1.0+/g, "scale: 0.500000"));
        }
    }
    const scene = path.join(state.folder, "Assets/Scene.scene");
    const given = state.components.find(({ inputNames, ...rest }) =>
        inputNames.includes("material") && rest.material);
    if (given) {
        fs.writeFileSync(scene, fs.readFileSync(scene, "utf8").replace(
            new RegExp(`material: !<reference.Material> ${NIL}`), `material: !<reference.Material> ${MATERIAL}`));
    }
}

const MATERIAL = "4d3f8b52-7c1e-4a96-b0d8-61e9f2a7c035";

class ImageMaterialPreset {
    constructor(system) { this.system = system; }

    async createAsync(folder) {
        const pass = strict("PassInfo", { getPropertyNames: () => ["baseColor", "baseTex"] });
        const members = asset("Image", "Material", `${folder}/Image.mat`, MATERIAL);
        const material = strict("Material", Object.assign(members, { passInfos: [pass] }));
        state.assets.push(material);
        return material;
    }
}

const modules = {
    "LensStudio:App": { version },
    "LensStudio:FileSystem": { getPluginsFolder: () => new Path("/plugins") },
    "/plugins/JsPlugins/PresetsRegistry/PresetsRegistry/PresetsRegistry.js":
        mode === "presets" ? {} : { ImageMaterialPreset },
};

async function load(specifier) {
    if (mode === "early" && specifier !== "LensStudio:App") {
        process.exit(0);
    }
    if (!(specifier in modules)) {
        throw new Error(`no module ${specifier}`);
    }
    const exported = modules[specifier];
    const loaded = new vm.SyntheticModule(Object.keys(exported), function () {
        Object.entries(exported).forEach(([name, value]) => this.setExport(name, value));
    }, { context });
    await loaded.link(() => {});
    await loaded.evaluate();
    return loaded;
}

const project = strict("Project", {
    save,
    assetManager: strict("AssetManager", {
        get assets() { return state.assets; },
        rename: (meta, name) => {
            state.assets.find((found) => found.fileMeta === meta).name = name;
        },
    }),
    get metaInfo() { return state.info; },
    scene: strict("Scene", { findComponents: (type) => (type === "ScriptComponent" ? state.components : []) }),
});
const context = vm.createContext({
    args: [option("-a")],
    console: strict("console", { log: (text) => console.log(text) }),
    pluginSystem: strict("PluginSystem", {
        findInterface: (id) => {
            if (id !== IModel.interfaceId) {
                throw new Error(`no interface ${id}`);
            }
            return strict("IModel", { openProject, project });
        },
    }),
    Editor: strict("Editor", {
        Path,
        isNull: (value) => value === null || value === undefined,
        Model: strict("Editor.Model", { IModel, LensActivationCamera, LensApplicability }),
    }),
});
console.log("Lens Studio says much else");
new vm.Script(fs.readFileSync(option("-f"), "utf8"), { importModuleDynamically: load }).runInContext(context);
if (mode === "hang") {
    setInterval(() => {}, 1000);
}
