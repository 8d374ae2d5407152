import Foundation

#if canImport(NelfCore)
import NelfCore
#endif

/// Bytes that the system charges this process with, on which it decides whom to end.
///
/// - Throws: `BenchError.probeFailed`.
func probeMemoryFootprint() throws -> UInt64 {
    #if canImport(Darwin)
    var info = task_vm_info_data_t()
    var count = mach_msg_type_number_t(
        MemoryLayout<task_vm_info_data_t>.size / MemoryLayout<integer_t>.size)
    let status = withUnsafeMutablePointer(to: &info) { pointer in
        pointer.withMemoryRebound(to: integer_t.self, capacity: Int(count)) {
            task_info(mach_task_self_, task_flavor_t(TASK_VM_INFO), $0, &count)
        }
    }
    guard status == KERN_SUCCESS else {
        throw BenchError.probeFailed("task_info ended with \(status)")
    }
    return info.phys_footprint
    #else
    let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
        .split(separator: " ").dropFirst().first.flatMap { UInt64($0) }
    guard let pages else { throw BenchError.probeFailed("/proc/self/statm is empty") }
    return pages * UInt64(sysconf(Int32(_SC_PAGESIZE)))
    #endif
}

/// How hot the device is, in the system's words.
func probeThermalLevel() -> ThermalLevel {
    #if canImport(Darwin)
    switch ProcessInfo.processInfo.thermalState {
    case .nominal: return .nominal
    case .fair: return .fair
    case .serious: return .serious
    case .critical: return .critical
    // A level that is newer than this app is taken for the worst.
    @unknown default: return .critical
    }
    #else
    return .nominal
    #endif
}

/// Apple's identifier of the device, such as `iPad13,8`.
public func probeDeviceModel() -> String {
    var system = utsname()
    uname(&system)
    return withUnsafeBytes(of: &system.machine) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
    }
}
