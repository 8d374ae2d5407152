// Meshes with materials. What they look like is drawn on the Python side.
"use strict";
const { LensApiError, documented, enumeration, secretOf } = require("./documented");
const { vec4 } = require("./maths");

// Declarations: names and order are theirs; the number of a blend mode is another, which nobody needs.
const BlendMode = enumeration("BlendMode", ["Normal", "Screen", "PremultipliedAlpha",
    "AlphaToCoverage", "Disabled", "Add", "AlphaTest", "ColoredGlass", "Multiply", "Min", "Max",
    "PremultipliedAlphaHardware", "PremultipliedAlphaAuto"]);
const MeshTopology = enumeration("MeshTopology",
    ["Triangles", "TriangleStrip", "TriangleFan", "Points", "Lines", "LineStrip"]);
const MeshIndexType = enumeration("MeshIndexType", ["None", "UInt16"]);

const SIMULATED_BLENDS = ["PremultipliedAlpha", "Disabled"];
const COMPONENTS = { position: 3, texture0: 2 };

// Declarations: any property of the shader is a member; base texture and base colour are those of
// materials that have them, by guess properties. What they look like is guess material.
function createPass(given = {}) {
    return documented("Pass", {
        baseTex: null,
        baseColor: new vec4(1, 1, 1, 1),
        blendMode: BlendMode.Normal,
        depthTest: true,
        depthWrite: true,
        twoSided: false,
        ...given,
    });
}

function createMaterial(pass) {
    return documented("Material", {
        mainPass: pass,
        getPassCount: () => 1,
        getPass: (index) => {
            if (index !== 0) {
                throw new LensApiError(`Material has no pass ${index}`);
            }
            return pass;
        },
        clone: () => createMaterial(createPass({
            baseTex: pass.baseTex, baseColor: pass.baseColor, blendMode: pass.blendMode,
            depthTest: pass.depthTest, depthWrite: pass.depthWrite, twoSided: pass.twoSided,
        })),
    }, { secret: { kind: "Material", pass } });
}

// Gives scripts `new MeshBuilder(layout)`.
function MeshBuilder(layout) {
    const names = layout.map(({ name, components }) => {
        if (COMPONENTS[name] !== components) {
            throw new LensApiError(`MeshBuilder: ${components} components of ${name} are not simulated`);
        }
        return name;
    });
    const stride = layout.reduce((sum, { components }) => sum + components, 0);
    const draft = { values: [], indices: [] };
    const built = { vertices: [], triangles: [] };
    const mesh = documented("RenderMesh", {}, { secret: { kind: "RenderMesh", built } });
    const members = {
        topology: MeshTopology.Triangles,
        indexType: MeshIndexType.UInt16,
        appendVerticesInterleaved: (values) => { draft.values.push(...values); },
        appendIndices: (indices) => { draft.indices.push(...indices); },
        getVerticesCount: () => draft.values.length / stride,
        getIndicesCount: () => draft.indices.length,
        isValid: () => draft.values.length % stride === 0 && draft.indices.length % 3 === 0
            && draft.indices.every((index) => index >= 0 && index < draft.values.length / stride),
        getMesh: () => mesh,
        // Declarations: the mesh that was given stays linked, and is made anew here.
        updateMesh: () => {
            if (members.topology !== MeshTopology.Triangles || !members.isValid()) {
                throw new LensApiError("MeshBuilder: only valid triangles are simulated");
            }
            built.triangles = draft.indices.slice();
            built.vertices = [];
            for (let at = 0; at < draft.values.length; at += stride) {
                const vertex = { position: [0, 0, 0], texture0: [0, 0] };
                let from = at;
                for (const name of names) {
                    vertex[name] = draft.values.slice(from, from + COMPONENTS[name]);
                    from += COMPONENTS[name];
                }
                built.vertices.push(vertex);
            }
        },
    };
    return documented("MeshBuilder", members);
}

// A component, and how it is drawn if it is: {mesh, pass}.
function createRenderMeshVisual(object) {
    const state = { mesh: null, material: null };
    const members = { enabled: true, renderOrder: 0, getSceneObject: () => object.proxy, destroy: () => {
        members.enabled = false;
    } };
    const holds = (key, kind, name) => Object.defineProperty(members, name, {
        get: () => state[key],
        set: (value) => {
            const secret = secretOf(value);
            if (!secret || secret.kind !== kind) {
                throw new LensApiError(`RenderMeshVisual.${name} takes a ${kind}`);
            }
            state[key] = value;
        },
        enumerable: true,
    });
    holds("mesh", "RenderMesh", "mesh");
    holds("material", "Material", "mainMaterial");
    Object.defineProperty(members, "mainPass", {
        get: () => {
            if (!state.material) {
                throw new LensApiError("RenderMeshVisual.mainPass: there is no material");
            }
            return secretOf(state.material).pass;
        },
        enumerable: true,
    });
    const drawn = () => {
        if (!members.enabled || !state.mesh || !state.material) {
            return null;
        }
        const { pass } = secretOf(state.material);
        const blend = SIMULATED_BLENDS.find((name) => BlendMode[name] === pass.blendMode);
        if (!blend) {
            throw new LensApiError(`blend mode ${pass.blendMode} is not simulated`);
        }
        return { mesh: secretOf(state.mesh).built, pass, blend, order: members.renderOrder };
    };
    return {
        component: documented("RenderMeshVisual", members, { readOnly: ["mainPass"] }),
        drawn,
    };
}

module.exports = {
    BlendMode, MeshBuilder, MeshIndexType, MeshTopology, createMaterial, createPass,
    createRenderMeshVisual,
};
