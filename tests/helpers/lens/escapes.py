"""Scripts that try to get out of the stand-in for Lens Studio, each to leave a file behind."""

from __future__ import annotations

import json
from pathlib import Path

__all__ = ["ESCAPES", "PRELUDE", "armed"]

#: What an escape does with whatever it gets hold of. `climb` walks from any value to a constructor
#: of functions, with it to the process, and from there to the file and to a child that stays.
PRELUDE = """
function strike(found) {
    const load = (name) => {
        for (const way of [
            () => found.mainModule["require"](name),
            () => found.getBuiltinModule(name),
            () => found.binding(name),
            () => found.constructor._load(name),
        ]) {
            try {
                const got = way();
                if (got) { return got; }
            } catch {}
        }
        return null;
    };
    try { load("fs").writeFileSync(MARK, "escaped"); } catch {}
    try {
        load("child_process").spawn("sh", ["-c", "echo escaped > '" + MARK + "'; sleep 60", MARK],
            { detached: true, stdio: "ignore" }).unref();
    } catch {}
}
// Some walks lead back into the escape itself; the count stands where all of them see it.
globalThis.walks = globalThis.walks || 0;
function climb(value, depth = 0) {
    if (++globalThis.walks > 3000) { return; }
    let at = value;
    for (let up = 0; up < 6 && at !== null && at !== undefined; up++) {
        for (const way of [
            () => at.constructor("return process")(),
            () => at.constructor.constructor("return process")(),
            () => Object.getPrototypeOf(at).constructor.constructor("return process")(),
        ]) {
            try { strike(way()); } catch {}
        }
        try { at = Object.getPrototypeOf(at); } catch { break; }
    }
    if (depth < 2 && value !== null && (typeof value === "object" || typeof value === "function")) {
        let keys = [];
        try { keys = Reflect.ownKeys(value); } catch {}
        for (const key of keys.slice(0, 60)) {
            try {
                const member = Reflect.getOwnPropertyDescriptor(value, key);
                climb(member.value || member.get, depth + 1);
            } catch {}
        }
    }
}
function every(value, ...more) { climb(value); for (const other of more) { climb(other); } }
"""

_ML = """
const ml = script.getSceneObject().createComponent("Component.MLComponent");
ml.model = script.model;
ml.onLoadingFinished = (...given) => { every(...given, given, this); READY };
ml.build([]);
"""


def _ml(ready: str) -> str:
    return _ML.replace("READY", ready)


#: What scripts see, by expression.
_SEEN = (
    "print",
    "require",
    "script",
    "script.getSceneObject",
    "script.getSceneObject()",
    "script.getSceneObject().getTransform()",
    "script.createEvent",
    "script.model",
    "script.camera",
    "globalThis",
    "this",
    "vec3",
    "new vec3(1, 2, 3)",
    "MachineLearning",
    "MachineLearning.createInputBuilder()",
    "global.scene",
    "ClearColorOption",
    "getTime",
    "arguments",
    "arguments.callee.caller",
)

ESCAPES: dict[str, str] = {
    **{f"walk from {seen}": f"every({seen});" for seen in _SEEN},
    "walk from what events bring": """
        for (const type of ["OnStartEvent", "UpdateEvent", "TouchStartEvent"]) {
            // A method: a function's prototype would lead `climb` back into it.
            const { on } = { on(...given) { every(...given, given, this); } };
            script.createEvent(type).bind(on);
        }""",
    "walk from a model's placeholders": _ml("""
        const output = ml.getOutput("all");
        every(ml, ml.getInputs(), ml.getInput("values"), ml.getInput("values").data, output);
        const picture = ml.getOutput("picture");
        ml.onRunningFinished = (...given) => every(given, output.data, picture.texture);
        ml.runImmediate(true);"""),
    "errors of the API": """
        for (const run of [() => print.nothing(), () => script.nothing, () => new vec3(1),
            () => require("./Missing"), () => require("fs"), () => require(Symbol("x")),
            () => script.createEvent("None"), () => script.createEvent({}),
            () => { "use strict"; script.getSceneObject = 1; },
            () => Object.defineProperty(script, "x", { value: 1 }), () => delete script.model]) {
            try { run(); } catch (error) { every(error); }
        }""",
    "a module that does not compile": 'try { require("./Part"); } catch (error) { every(error); }',
    "errors where the stack ends": _ml("""
        let deepest = 0;
        const dive = (depth) => {
            deepest = depth;
            try { dive(depth + 1); } catch (error) { climb(error, 2); }
            if (depth > deepest - 12) {
                try { print("deep"); ml.runImmediate(true); } catch (error) { climb(error, 2); }
            }
        };
        dive(0);"""),
    "call sites": """
        Error.prepareStackTrace = (error, sites) => {
            every(error, sites);
            for (const site of sites) {
                every(site);
                for (const get of ["getThis", "getFunction", "getEvalOrigin", "getTypeName"]) {
                    try { every(site[get]()); } catch {}
                }
            }
            return sites;
        };
        every(new Error("x").stack);
        script.createEvent("UpdateEvent").bind(() => { every(new Error("y").stack); null.x; });""",
    "call sites of an error that the runtime describes": """
        Error.prepareStackTrace = (error, sites) => { every(error, sites, ...sites); return {}; };
        throw new Error("described outside");""",
    "dynamic import": """
        const promise = import("fs");
        every(promise);
        promise.then((fs) => fs.writeFileSync(MARK, "escaped"), (error) => every(error));
        (async () => {
            try { strike(await import("node:process")); } catch (error) { every(error); }
        })();""",
    "names of Node.js": """
        for (const name of ["process", "Buffer", "module", "exports", "console", "setTimeout",
            "fetch", "WebAssembly", "structuredClone", "performance", "navigator", "ShadowRealm"]) {
            try { every(globalThis[name]); strike(globalThis[name]); } catch {}
        }
        for (const name of ["fs", "node:fs", "./../../fs", "process", "child_process"]) {
            try { const got = require(name); got.writeFileSync(MARK, "escaped"); } catch {}
        }""",
    "constructors of functions": """
        for (const make of [Function, (function* () {}).constructor, (async () => {}).constructor,
            (async function* () {}).constructor]) {
            try { strike(make("return process")()); } catch (error) { every(error); }
            try { strike(Reflect.construct(make, ["return process"], Object)()); } catch {}
        }
        for (const run of [eval, (0, eval)]) { try { strike(run("process")); } catch {} }""",
    "WebAssembly": """
        try {
            const bytes = new Uint8Array([0, 97, 115, 109, 1, 0, 0, 0]);
            const built = new WebAssembly.Instance(new WebAssembly.Module(bytes));
            every(built, WebAssembly);
        } catch (error) { every(error); }""",
    "prototypes of everybody": """
        let busy = false;
        const spring = function () {
            if (!busy) { busy = true; try { climb(this, 1); } catch {} busy = false; }
        };
        for (const name of ["toJSON", "then", "get", "set", "value", "filename", "parsingContext",
            "request", "error", "length", "encoding", "arrays", "command", "cwd", "shell", "env"]) {
            Object.defineProperty(Object.prototype, name, {
                configurable: true, get() { spring.call(this); return undefined; }, set() {},
            });
        }""",
    "methods of everybody": """
        for (const type of [Array, String, Map, WeakMap, Promise, RegExp, Float32Array, Uint16Array,
            Function, Number]) {
            for (const name of Object.getOwnPropertyNames(type.prototype)) {
                const was = Reflect.getOwnPropertyDescriptor(type.prototype, name).value;
                if (typeof was !== "function" || name === "constructor") { continue; }
                let busy = false;
                try {
                    type.prototype[name] = function (...given) {
                        if (!busy) {
                            busy = true;
                            try { climb(this, 2); climb(given[0], 2); } catch {}
                            busy = false;
                        }
                        return Reflect.apply(was, this, given);
                    };
                } catch {}
            }
        }""",
    "JSON of everybody": """
        const { parse, stringify } = JSON;
        JSON.parse = function (...given) { every(this, given); return parse(...given); };
        JSON.stringify = function (...given) { every(this, given); return stringify(...given); };
        Object.prototype.toJSON = function (key) { every(this, key); return this; };""",
    "iterators of everybody": """
        const was = Array.prototype[Symbol.iterator];
        let busy = false;
        Array.prototype[Symbol.iterator] = function () {
            if (!busy) { busy = true; try { climb(this, 2); } catch {} busy = false; }
            return Reflect.apply(was, this, []);
        };""",
    "symbols that Node.js calls": """
        const bait = { [Symbol.for("nodejs.util.inspect.custom")](...given) { every(given); },
            [Symbol.toPrimitive](hint) { every(hint, this); return "x"; },
            get [Symbol.toStringTag]() { every(this); return "x"; } };
        print(bait);
        Promise.reject(bait);
        script.createEvent("UpdateEvent").bind(() => { throw bait; });""",
    "getters on what is thrown": """
        throw { get message() { every(this, new Error("m").stack); return "m"; },
            get stack() {
                every(this, arguments);
                return { toString() { every(this); return "s"; } };
            },
            toString() { every(this); return "t"; } };""",
    "a thrown proxy": """
        throw new Proxy(function () {}, {
            get(target, key, receiver) { every(target, receiver); return receiver; },
            apply(target, self, given) { every(self, given); return "x"; },
            getPrototypeOf(target) { every(target); return null; },
        });""",
    "getters on what is handed over": _ml("""
        const trap = new Proxy({}, { get(target, key) { every(this, target); return trap; } });
        for (const use of [() => ml.build([trap]), () => ml.build(trap), () => print(trap),
            () => { ml.getInput("values").texture = trap; ml.runImmediate(true); },
            () => { ml.model = trap; }, () => ml.runScheduled(trap, trap, trap),
            () => new vec3(trap, trap, trap), () => script.createEvent("UpdateEvent").bind(trap)]) {
            try { use(); } catch (error) { every(error); }
        }
        Object.defineProperty(ml.getInput("values").data, "buffer", {
            get() { every(this); return new ArrayBuffer(8); } });
        Object.defineProperty(ml.getInput("values").data, "length", {
            get() { every(this); return 4e9; } });
        try { ml.runImmediate(true); } catch (error) { every(error); }"""),
    "timers and jobs": """
        const late = (...given) => every(given);
        for (const name of ["setTimeout", "setInterval", "setImmediate", "queueMicrotask"]) {
            try {
                every(globalThis[name]);
                globalThis[name](late, 0);
            } catch (error) {
                every(error);
            }
        }
        Promise.resolve().then(late);
        (async () => { await null; late(); })();
        try { new FinalizationRegistry(late).register({}, 1); } catch {}
        script.createEvent("UpdateEvent").bind(late);""",
    "members behind the API's objects": """
        for (const object of [script, script.getSceneObject(), MachineLearning, global,
            script.getSceneObject().getTransform(), new vec2(1, 2)]) {
            for (const key of Reflect.ownKeys(object)) {
                const member = Reflect.getOwnPropertyDescriptor(object, key);
                every(member, member.value, member.get, member.set);
            }
            every(Object.getPrototypeOf(object));
            try { Object.setPrototypeOf(object, { get x() { every(this); } }); } catch {}
        }""",
    "modules that load modules": """
        const exported = require("./Other");
        every(exported, require, require.main, require.cache);""",
}

_MODULES = {
    "Part": "every(module; broken",
    "Other": "every(module, exports, require, this, arguments);"
    " try { strike({ constructor: module.constructor }); } catch {} module.exports = module;",
}


def armed(name: str, mark: Path) -> tuple[str, dict[str, str]]:
    """An escape as the main script of a project, and its modules.

    Args:
        name: in `ESCAPES`.
        mark: the file that must not appear.
    """
    head = f"const MARK = {json.dumps(str(mark))};{PRELUDE}"
    return head + ESCAPES[name], {key: head + text for key, text in _MODULES.items()}
