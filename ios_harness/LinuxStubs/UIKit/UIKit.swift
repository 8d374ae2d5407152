// The part of UIKit that the app uses, as Apple documents it; see LinuxStubs/README.md.

@_exported import Foundation

@MainActor
open class UIView: NSObject {
    public var isOpaque = true
    public var backgroundColor: UIColor?

    public init(frame: CGRect = .zero) {}
}

public final class UIColor: NSObject, @unchecked Sendable {
    public static var white: UIColor { UIColor() }
    public static var clear: UIColor { UIColor() }

    public func withAlphaComponent(_ alpha: CGFloat) -> UIColor { self }
}

@MainActor
public final class UIScreen: NSObject {
    public static var main: UIScreen { UIScreen() }

    public var maximumFramesPerSecond: Int { 60 }
}

@MainActor
public final class UIApplication: NSObject {
    public static let shared = UIApplication()

    public var isIdleTimerDisabled = false
}

@MainActor
public final class UIDevice: NSObject {
    public enum BatteryState: Int, Sendable {
        case unknown, unplugged, charging, full
    }

    public static let current = UIDevice()

    public var isBatteryMonitoringEnabled = false
    /// Negative where it is not known.
    public var batteryLevel: Float { -1 }
    public var batteryState: BatteryState { .unknown }
    public var systemName: String { "Linux" }
    public var systemVersion: String { "0" }
}
