// Where the camera is, within what was trained. Angles in degrees, distances in world units.

/** How far a picture may be enlarged once the camera is as close as it was trained. */
const MAX_ZOOM = 4;

/** Degrees beyond a limit at which a drag no longer moves. */
const GIVE = 12;

/** @param {number} value @param {[number, number]} range */
export function clamped(value, range) {
  return Math.min(Math.max(value, range[0]), range[1]);
}

/** The view at which a page opens. @param {Orbit} orbit @returns {View} */
export function homeView(orbit) {
  return {
    azimuth: isFullTurn(orbit) ? orbit.azimuth[0] : (orbit.azimuth[0] + orbit.azimuth[1]) / 2,
    elevation: (orbit.elevation[0] + orbit.elevation[1]) / 2,
    radius: (orbit.radius[0] + orbit.radius[1]) / 2,
    zoom: 1,
  };
}

/** @param {Orbit} orbit */
export function isFullTurn(orbit) {
  return orbit.azimuth[1] - orbit.azimuth[0] >= 360;
}

/**
 * The nearest view that was trained: every ray that a page shows is one of these.
 * @param {Orbit} orbit @param {View} view @returns {View}
 */
export function trainedView(orbit, view) {
  const turned = ((((view.azimuth + 180) % 360) + 360) % 360) - 180;
  const [low, high] = orbit.azimuth;
  const wrapped = turned < low ? turned + 360 : turned > high ? turned - 360 : turned;
  return {
    azimuth: isFullTurn(orbit) ? turned : clamped(wrapped < low || wrapped > high ? view.azimuth : wrapped, orbit.azimuth),
    elevation: clamped(view.elevation, orbit.elevation),
    radius: clamped(view.radius, orbit.radius),
    zoom: clamped(view.zoom, [1, MAX_ZOOM]),
  };
}

/**
 * Closer (factor above 1) or further away: along the trained distances first, then by enlarging.
 * @param {Orbit} orbit @param {View} view @param {number} factor @returns {View}
 */
export function zoomed(orbit, view, factor) {
  const distance = view.radius / view.zoom / factor;
  return {
    ...view,
    radius: clamped(distance, orbit.radius),
    zoom: clamped(orbit.radius[0] / distance, [1, MAX_ZOOM]),
  };
}

/**
 * How far beyond the limits a drag is, with less and less of it: [azimuth, elevation] in degrees.
 * @param {Orbit} orbit @param {View} view @returns {[number, number]}
 */
export function beyond(orbit, view) {
  const give = (/** @type {number} */ over) => Math.sign(over) * GIVE * (1 - Math.exp(-Math.abs(over) / GIVE));
  const across = isFullTurn(orbit) ? 0 : view.azimuth - clamped(view.azimuth, orbit.azimuth);
  return [give(across), give(view.elevation - clamped(view.elevation, orbit.elevation))];
}
