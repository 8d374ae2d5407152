// The part of vImage that the app uses, as Apple documents it, with plain loops; see
// LinuxStubs/README.md.

import Foundation

public typealias vImagePixelCount = UInt
public typealias vImage_Error = Int
public typealias vImage_Flags = UInt32

public let kvImageNoFlags = 0
public let kvImageNoError: vImage_Error = 0
public let kvImageNullPointerArgument: vImage_Error = -21772

public struct vImage_Buffer {
    public var data: UnsafeMutableRawPointer!
    public var height: vImagePixelCount
    public var width: vImagePixelCount
    public var rowBytes: Int

    public init(
        data: UnsafeMutableRawPointer!, height: vImagePixelCount, width: vImagePixelCount,
        rowBytes: Int
    ) {
        self.data = data
        self.height = height
        self.width = width
        self.rowBytes = rowBytes
    }

    fileprivate func place(_ row: Int, _ column: Int, _ size: Int) -> UnsafeMutableRawPointer {
        data + row * rowBytes + column * size
    }

    fileprivate func eachPixel(_ body: (Int, Int) -> Void) {
        for row in 0..<Int(height) {
            for column in 0..<Int(width) {
                body(row, column)
            }
        }
    }
}

private func eight(_ value: Float) -> UInt8 { UInt8(min(max(255 * value, 0), 255).rounded()) }

public func vImageConvert_PlanarFtoPlanar8(
    _ src: UnsafePointer<vImage_Buffer>, _ dest: UnsafePointer<vImage_Buffer>, _ maxFloat: Float,
    _ minFloat: Float, _ flags: vImage_Flags
) -> vImage_Error {
    src.pointee.eachPixel { row, column in
        let value = src.pointee.place(row, column, 4).loadUnaligned(as: Float.self)
        dest.pointee.place(row, column, 1).storeBytes(of: eight(value), as: UInt8.self)
    }
    return kvImageNoError
}

public func vImageConvert_Planar16FtoPlanar8(
    _ src: UnsafePointer<vImage_Buffer>, _ dest: UnsafePointer<vImage_Buffer>, _ flags: vImage_Flags
) -> vImage_Error {
    src.pointee.eachPixel { row, column in
        let value = src.pointee.place(row, column, 2).loadUnaligned(as: Float16.self)
        dest.pointee.place(row, column, 1).storeBytes(of: eight(Float(value)), as: UInt8.self)
    }
    return kvImageNoError
}

public func vImageConvert_Planar8toARGB8888(
    _ srcA: UnsafePointer<vImage_Buffer>, _ srcR: UnsafePointer<vImage_Buffer>,
    _ srcG: UnsafePointer<vImage_Buffer>, _ srcB: UnsafePointer<vImage_Buffer>,
    _ dest: UnsafePointer<vImage_Buffer>, _ flags: vImage_Flags
) -> vImage_Error {
    for (index, source) in [srcA, srcR, srcG, srcB].enumerated() {
        source.pointee.eachPixel { row, column in
            let value = source.pointee.place(row, column, 1).load(as: UInt8.self)
            dest.pointee.place(row, column, 4).storeBytes(
                of: value, toByteOffset: index, as: UInt8.self)
        }
    }
    return kvImageNoError
}

public func vImagePremultiplyData_RGBA8888(
    _ src: UnsafePointer<vImage_Buffer>, _ dest: UnsafePointer<vImage_Buffer>, _ flags: vImage_Flags
) -> vImage_Error {
    src.pointee.eachPixel { row, column in
        let source = src.pointee.place(row, column, 4)
        let target = dest.pointee.place(row, column, 4)
        let alpha = Int(source.load(fromByteOffset: 3, as: UInt8.self))
        for index in 0..<3 {
            let value = Int(source.load(fromByteOffset: index, as: UInt8.self))
            target.storeBytes(
                of: UInt8((value * alpha + 127) / 255), toByteOffset: index, as: UInt8.self)
        }
        target.storeBytes(of: UInt8(alpha), toByteOffset: 3, as: UInt8.self)
    }
    return kvImageNoError
}
