// 16-bit floats by their bits. Swift has `Float16` everywhere but on Macs with Intel processors.

/// Returns the bits of the 16-bit float that is nearest to `value`, ties to even.
@inline(__always)
func halfBits(_ value: Double) -> UInt16 {
    #if os(macOS) && arch(x86_64)
    return halfBitsByHand(Float(value))
    #else
    return Float16(value).bitPattern
    #endif
}

/// Returns the value of a 16-bit float given by its bits.
@inline(__always)
func floatOfHalf(_ bits: UInt16) -> Float {
    #if os(macOS) && arch(x86_64)
    return floatOfHalfByHand(bits)
    #else
    return Float(Float16(bitPattern: bits))
    #endif
}

/// `halfBits` in integer arithmetic.
func halfBitsByHand(_ value: Float) -> UInt16 {
    let bits = value.bitPattern
    let sign = UInt16(truncatingIfNeeded: (bits >> 16) & 0x8000)
    let magnitude = bits & 0x7fff_ffff
    // From 65520 on the nearest is infinity; what is not a number stays so.
    if magnitude >= 0x477f_f000 {
        return sign | (magnitude > 0x7f80_0000 ? 0x7e00 : 0x7c00)
    }
    // Below 2⁻¹⁴ steps are 2⁻²⁴ apart: the sum with a half has them in its lowest bits.
    if magnitude < 0x3880_0000 {
        let shifted = (Float(bitPattern: magnitude) + 0.5).bitPattern
        return sign | UInt16(truncatingIfNeeded: shifted &- Float(0.5).bitPattern)
    }
    let odd = (magnitude >> 13) & 1
    return sign | UInt16(truncatingIfNeeded: (magnitude &- 0x3800_0000 &+ 0xfff &+ odd) >> 13)
}

/// `floatOfHalf` in integer arithmetic.
func floatOfHalfByHand(_ bits: UInt16) -> Float {
    let sign = UInt32(bits & 0x8000) << 16
    let magnitude = UInt32(bits & 0x7fff)
    if magnitude >= 0x7c00 {
        return Float(bitPattern: sign | 0x7f80_0000 | (magnitude & 0x3ff) << 13)
    }
    if magnitude < 0x400 {
        let value = Float(magnitude) / 16_777_216
        return sign == 0 ? value : -value
    }
    return Float(bitPattern: sign | (magnitude << 13 &+ 0x3800_0000))
}
