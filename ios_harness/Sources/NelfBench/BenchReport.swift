import Foundation

/// The file that `mnelf bench import` reads. Times are in milliseconds, memory in bytes.
public struct BenchReport: Codable, Equatable, Sendable {
    public let schema: Int
    public let device: DeviceDescription
    public let date: Date
    public let bundle: BundleIdentity
    public var runs: [BenchRun]

    public init(device: DeviceDescription, date: Date, bundle: BundleIdentity, runs: [BenchRun]) {
        schema = 1
        self.device = device
        self.date = date
        self.bundle = bundle
        self.runs = runs
    }

    public func json() throws -> Data {
        let encoder = JSONEncoder()
        encoder.dateEncodingStrategy = .iso8601
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(self)
    }

    /// Name of the file that holds this report.
    public var fileName: String {
        let stamp = ISO8601DateFormatter().string(from: date)
            .replacingOccurrences(of: ":", with: "")
        return "\(bundle.name)-\(device.model)-\(stamp).json"
    }
}

/// What measured.
public struct DeviceDescription: Codable, Equatable, Sendable {
    /// Apple's identifier, such as `iPad13,8`.
    public let model: String
    /// System and version.
    public let os: String
    public let appVersion: String
    /// Low Power Mode slows every processor.
    public let lowPower: Bool
    /// Bytes of memory that the device has.
    public let memory: UInt64?

    enum CodingKeys: String, CodingKey {
        case model, os, memory
        case appVersion = "app_version"
        case lowPower = "low_power"
    }

    public init(
        model: String, os: String, appVersion: String, lowPower: Bool, memory: UInt64? = nil
    ) {
        self.model = model
        self.os = os
        self.appVersion = appVersion
        self.lowPower = lowPower
        self.memory = memory
    }
}
