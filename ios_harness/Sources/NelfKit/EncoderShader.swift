/// The kernel that computes the input of layout `embedded`; compiled when a model is loaded, since an
/// App Playground has no step that compiles Metal files.
///
/// One thread for each coordinate of a ray: sin(a + b) = sin a·cos b + cos a·sin b and cos(a + b) =
/// cos a·cos b − sin a·sin b of the column's and the row's part, so no sine is taken here. Channel
/// coordinate·(2L+1) + j: L sines, L cosines, then the coordinate itself. The tests run this very
/// text as C++.
let encoderShader = """
    #include <metal_stdlib>
    using namespace metal;

    kernel void nelf_embed(
        device half *input [[buffer(0)]], device const float *tables [[buffer(1)]],
        constant uint *sizes [[buffer(2)]], uint3 at [[thread_position_in_grid]]
    ) {
        const uint coordinates = sizes[0], levels = sizes[1], width = sizes[2], height = sizes[3];
        // Rows of the input may be padded.
        const uint step = sizes[4];
        if (at.x >= width || at.y >= height || at.z >= coordinates) return;
        const uint phases = coordinates * levels;
        device const float *sin_columns = tables;
        device const float *cos_columns = sin_columns + phases * width;
        device const float *point_columns = cos_columns + phases * width;
        device const float *sin_rows = point_columns + coordinates * width;
        device const float *cos_rows = sin_rows + phases * height;
        device const float *point_rows = cos_rows + phases * height;
        const uint plane = height * step;
        device half *out = input + at.z * (2 * levels + 1) * plane + at.y * step + at.x;
        for (uint level = 0; level < levels; ++level) {
            const uint phase = level * coordinates + at.z;
            const float sin_a = sin_columns[phase * width + at.x];
            const float cos_a = cos_columns[phase * width + at.x];
            const float sin_b = sin_rows[phase * height + at.y];
            const float cos_b = cos_rows[phase * height + at.y];
            out[level * plane] = half(sin_a * cos_b + cos_a * sin_b);
            out[(levels + level) * plane] = half(cos_a * cos_b - sin_a * sin_b);
        }
        out[2 * levels * plane] = half(
            point_columns[at.z * width + at.x] + point_rows[at.z * height + at.y]);
    }
    """
