/// The shaders that put a frame on the screen. They are compiled when the app starts, since an App
/// Playground has no step that compiles Metal files.
///
/// A frame of planes is one texture with the planes below each other; between pixels it is
/// interpolated by hand, since rows of two planes meet and not every device filters 32-bit floats.
let frameShaders = """
    #include <metal_stdlib>
    using namespace metal;

    struct Corner {
        float4 position [[position]];
        float2 place;
    };

    // One triangle over the whole target; (0, 0) is the top left of the picture.
    vertex Corner nelf_corner(uint id [[vertex_id]]) {
        float2 place = float2((id << 1) & 2, id & 2);
        Corner corner;
        corner.position = float4(place.x * 2 - 1, 1 - place.y * 2, 0, 1);
        corner.place = place;
        return corner;
    }

    // Planes of channels, straight alpha, to premultiplied colour.
    fragment float4 nelf_planes(
        Corner corner [[stage_in]], texture2d<float> planes [[texture(0)]],
        constant uint &channels [[buffer(0)]]
    ) {
        int2 size = int2(planes.get_width(), planes.get_height() / channels);
        float2 place = corner.place * float2(size) - 0.5;
        int2 low = int2(floor(place));
        float2 part = place - float2(low);
        int2 first = clamp(low, int2(0), size - 1);
        int2 second = clamp(low + 1, int2(0), size - 1);
        float4 colour = float4(0, 0, 0, 1);
        for (uint channel = 0; channel < channels; ++channel) {
            int row = int(channel) * size.y;
            float top = mix(
                planes.read(uint2(first.x, first.y + row)).r,
                planes.read(uint2(second.x, first.y + row)).r, part.x);
            float bottom = mix(
                planes.read(uint2(first.x, second.y + row)).r,
                planes.read(uint2(second.x, second.y + row)).r, part.x);
            colour[channel] = saturate(mix(top, bottom, part.y));
        }
        return float4(colour.rgb * colour.a, colour.a);
    }

    // An opaque picture.
    fragment float4 nelf_picture(Corner corner [[stage_in]], texture2d<float> picture [[texture(0)]]) {
        constexpr sampler between(filter::linear, address::clamp_to_edge);
        return float4(picture.sample(between, corner.place).rgb, 1);
    }
    """
