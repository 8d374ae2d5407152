// Runs a Lens Studio project without Lens Studio: the Python side sends what happens to the phone,
// this side answers with what the lens did.
//
// The scripts of a lens may be anybody's. They and the API that they see run in a context of their
// own (start.js, api.js and what those require). Text is all that crosses: into the context through
// `handle`, out of it through `bridge`. No object of this side is ever handed in, and nothing that
// comes out is touched but strings, since a getter or a custom `toString` would run here.
//
// usage: node main.js, talking in the messages of pipe.js
"use strict";
const fs = require("fs");
const path = require("path");
const vm = require("vm");
const { described } = require("./described");
const pipe = require("./pipe");

const { process } = globalThis;
const { cpuUsage, hrtime } = process;
const exit = process.reallyExit.bind(process);

const INSIDE = ["api", "bridge", "described", "documented", "maths", "ml", "scene", "scripts",
    "textures", "tracking", "transforms", "visuals"];

// What a file gets by name: a component its `script`, a module what it exports.
const FORMS = {
    component: ["require", "script"],
    module: ["require", "module", "exports"],
};

// A null prototype leaves nothing to walk to from what the context shows of this object.
const context = vm.createContext(Object.create(null),
    { codeGeneration: { strings: false, wasm: false } });

let modelNanos = 0n;
let scriptMicros = 0; // of processor time, which other work on the machine moves little
let entered = null; // what it was when scripts began, while they run
let isAsking = false;

function fail(reason) {
    fs.writeSync(2, reason);
    exit(1);
}

// Asks the Python side to run a model and waits for it; the words `enter` and `leave` say where scripts
// run, and where the stand-in does. An arrow function, which has no prototype.
const bridge = (text) => {
    if (text === "enter" || text === "leave") {
        const { user, system } = cpuUsage();
        const now = user + system;
        scriptMicros += entered === null ? 0 : now - entered;
        entered = text === "enter" ? now : null;
        return "";
    }
    if (isAsking || typeof text !== "string") {
        fail("a script broke into a request");
    }
    isAsking = true;
    const begin = hrtime.bigint();
    const answer = pipe.ask(text);
    modelNanos += hrtime.bigint() - begin;
    isAsking = false;
    return answer;
};
for (const name of Reflect.ownKeys(bridge)) {
    delete bridge[name];
}
Object.freeze(Object.setPrototypeOf(bridge, null));

function compile(source, names, filename) {
    return vm.compileFunction(source, names, { filename, parsingContext: context });
}

function own(name, names) {
    return compile(fs.readFileSync(path.join(__dirname, `${name}.js`), "utf8"), names, `${name}.js`);
}

// No script has run yet, so that the context is as this side made it and its objects can be used.
function open() {
    const inside = own("start", ["bridge"])(bridge);
    for (const name of INSIDE) {
        inside.addModule(`./${name}`, own(name, ["require", "module"]));
    }
    pipe.write("{}", "{}");
    const { sources } = JSON.parse(pipe.read());
    for (const [file, text] of Object.entries(sources)) {
        for (const [form, names] of Object.entries(FORMS)) {
            try {
                inside.addScript(form, file, compile(text, names, file), "");
            } catch (error) {
                inside.addScript(form, file, null, described(error));
            }
        }
    }
    pipe.write("{}", "{}");
    return inside.begin();
}

// What a script could do with this process if it got hold of it after all: nothing of this is used.
function disarm() {
    const language = new Set(vm.runInContext("Reflect.ownKeys(globalThis).join()", context).split(","));
    for (const name of Object.getOwnPropertyNames(globalThis)) {
        if (!language.has(name)) {
            delete globalThis[name];
        }
    }
    for (const name of ["_debugProcess", "_kill", "_linkedBinding", "abort", "binding", "dlopen",
        "getBuiltinModule", "kill", "mainModule"]) {
        delete process[name];
    }
}

function serve(handle) {
    for (;;) {
        const text = pipe.read();
        modelNanos = 0n;
        scriptMicros = 0;
        let answer = null;
        try {
            answer = handle(text);
        } catch {
            // Whatever was thrown belongs to the scripts.
        }
        if (typeof answer !== "string" || isAsking) {
            fail("a script broke the runtime of lenses");
        }
        pipe.write(JSON.stringify({
            script_seconds: scriptMicros / 1e6,
            model_seconds: Number(modelNanos) / 1e9,
        }), answer);
    }
}

const handle = open();
disarm();
serve(handle);
