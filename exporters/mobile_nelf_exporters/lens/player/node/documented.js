// Objects of the scripting API. A script that reads, assigns or calls what Lens Studio does not
// document, or what this runtime does not simulate, gets an error that names the member, where plain
// JavaScript would hand it `undefined`.
"use strict";

class LensApiError extends Error {}

// What the runtime knows about an object and scripts do not see.
const hidden = new WeakMap();

// `isOpen`: members can be added, not replaced.
function documented(name, members, { readOnly = [], secret = null, isOpen = false } = {}) {
    const fixed = new Set(readOnly);
    const own = new Set(Object.keys(members));
    const demand = (key) => {
        if (!(key in members)) {
            throw new LensApiError(`${name}.${String(key)} is not documented or not simulated`);
        }
    };
    const refuse = (action) => (target, key) => {
        throw new LensApiError(`${name}.${String(key)} cannot be ${action}`);
    };
    const proxy = new Proxy(members, {
        get(target, key) {
            if (typeof key !== "symbol") {
                demand(key);
            }
            return target[key];
        },
        set(target, key, value) {
            if (!isOpen) {
                demand(key);
            }
            // Callbacks are properties that scripts assign; methods are not.
            const method = typeof target[key] === "function" && own.has(key)
                && !/^on[A-Z]/.test(String(key));
            if (fixed.has(key) || method) {
                throw new LensApiError(`${name}.${String(key)} is read-only`);
            }
            target[key] = value;
            return true;
        },
        defineProperty: refuse("defined"),
        deleteProperty: refuse("deleted"),
    });
    hidden.set(proxy, secret);
    return proxy;
}

function secretOf(object) {
    return object !== null && typeof object === "object" ? hidden.get(object) : undefined;
}

// An enumeration: names to numbers in the documented order.
function enumeration(name, keys) {
    return documented(name, Object.fromEntries(keys.map((key, index) => [key, index])),
        { readOnly: keys });
}

module.exports = { LensApiError, documented, enumeration, secretOf };
