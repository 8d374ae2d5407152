// Where objects are: position, rotation and scale within their parents.
"use strict";
const { LensApiError, documented } = require("./documented");
const { quat, vec3 } = require("./maths");

// Rotations are [w, x, y, z], vectors [x, y, z].
function rotated(q, v) {
    const [w, ...u] = q;
    const once = cross(u, v);
    const twice = cross(u, once);
    return v.map((value, i) => value + 2 * (w * once[i] + twice[i]));
}

function cross(a, b) {
    return [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
}

function multiplied(p, q) {
    const [pw, ...pv] = p;
    const [qw, ...qv] = q;
    const turned = cross(pv, qv);
    return [pw * qw - pv.reduce((sum, value, i) => sum + value * qv[i], 0),
        ...pv.map((value, i) => pw * qv[i] + qw * value + turned[i])];
}

function inverted(q) {
    return [q[0], -q[1], -q[2], -q[3]];
}

const list = (v) => [v.x, v.y, v.z];
const quaternion = (q) => [q.w, q.x, q.y, q.z];

class Place {
    constructor({ position = [0, 0, 0], rotation = [1, 0, 0, 0], scale = [1, 1, 1] } = {}) {
        Object.assign(this, { position, rotation, scale, parent: null, tracked: null });
    }

    // Guess tracking: the device's pose appears on the object that holds DeviceTracking, in
    // centimetres, x right, y up, looking along -z.
    world() {
        if (this.tracked) {
            const { position, rotation } = this.tracked();
            return { position, rotation, scale: this.scale };
        }
        if (!this.parent) {
            return this;
        }
        const above = this.parent.world();
        const offset = rotated(above.rotation, this.position.map((value, i) => value * above.scale[i]));
        return {
            position: above.position.map((value, i) => value + offset[i]),
            rotation: multiplied(above.rotation, this.rotation),
            scale: this.scale.map((value, i) => value * above.scale[i]),
        };
    }

    point(local) {
        const { position, rotation, scale } = this.world();
        const offset = rotated(rotation, local.map((value, i) => value * scale[i]));
        return position.map((value, i) => value + offset[i]);
    }
}

// Declarations: the world's members are set through all parents.
function transformOf(place) {
    const above = () => (place.parent ? place.parent.world() : new Place());
    const finite = (values) => {
        if (!values.every(Number.isFinite)) {
            throw new LensApiError(`Transform: ${values} are not all numbers`);
        }
        return values;
    };
    return documented("Transform", {
        getWorldPosition: () => new vec3(...place.world().position),
        getWorldRotation: () => new quat(...place.world().rotation),
        getWorldScale: () => new vec3(...place.world().scale),
        getLocalPosition: () => new vec3(...place.position),
        getLocalRotation: () => new quat(...place.rotation),
        getLocalScale: () => new vec3(...place.scale),
        setLocalPosition: (position) => { place.position = finite(list(position)); },
        setLocalRotation: (rotation) => { place.rotation = finite(quaternion(rotation)); },
        setLocalScale: (scale) => { place.scale = finite(list(scale)); },
        setWorldPosition: (position) => {
            const { position: origin, rotation, scale } = above();
            const offset = finite(list(position)).map((value, i) => value - origin[i]);
            place.position = rotated(inverted(rotation), offset).map((value, i) => value / scale[i]);
        },
        setWorldRotation: (rotation) => {
            place.rotation = multiplied(inverted(above().rotation), finite(quaternion(rotation)));
        },
        setWorldScale: (scale) => {
            place.scale = finite(list(scale)).map((value, i) => value / above().scale[i]);
        },
    });
}

module.exports = { Place, inverted, list, rotated, transformOf };
