// vec2, vec3, vec4 and quat: the documented members that lenses of ours use.
"use strict";
const { documented } = require("./documented");

// Gives scripts `new type(…)` and makes any other member of an instance an error.
function valueType(name, keys, methods = {}, statics = {}) {
    const type = function (...values) {
        const members = {};
        keys.forEach((key, index) => {
            if (typeof values[index] !== "number") {
                throw new TypeError(`${name}: ${key} is ${values[index]}, expected a number`);
            }
            members[key] = values[index];
        });
        for (const key of Object.keys(methods)) {
            members[key] = (...args) => methods[key](members, ...args);
        }
        return documented(name, members);
    };
    return Object.assign(type, statics);
}

const vec2 = valueType("vec2", ["x", "y"]);
const vec3 = valueType("vec3", ["x", "y", "z"]);
const vec4 = valueType("vec4", ["x", "y", "z", "w"]);
const quat = valueType("quat", ["w", "x", "y", "z"], {
    multiplyVec3(q, v) {
        // v + 2w(u × v) + 2u × (u × v), for a unit quaternion (w, u)
        const cross = (a, b) => [
            a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0],
        ];
        const u = [q.x, q.y, q.z];
        const once = cross(u, [v.x, v.y, v.z]);
        const twice = cross(u, once);
        return new vec3(
            v.x + 2 * (q.w * once[0] + twice[0]),
            v.y + 2 * (q.w * once[1] + twice[1]),
            v.z + 2 * (q.w * once[2] + twice[2]));
    },
});

module.exports = { quat, vec2, vec3, vec4 };
