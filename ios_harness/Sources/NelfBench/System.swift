import Foundation

#if canImport(UIKit)
import UIKit
#elseif canImport(AppKit)
import AppKit
#endif

/// Keeps the screen from locking: in runs of minutes it would, and a locked device renders nothing.
@MainActor
func keepScreenOn(_ isOn: Bool) {
    #if canImport(UIKit)
    UIApplication.shared.isIdleTimerDisabled = isOn
    #endif
}

/// Charge of the device; nil where the system does not tell.
@MainActor
func probeBattery() -> BatteryLevel? {
    #if canImport(UIKit)
    let device = UIDevice.current
    device.isBatteryMonitoringEnabled = true
    guard device.batteryLevel >= 0 else { return nil }
    return BatteryLevel(
        level: Double(device.batteryLevel), isCharging: device.batteryState != .unplugged)
    #else
    return nil
    #endif
}

/// The most frames a second that the display can show.
@MainActor
func refreshRate() -> Double {
    #if canImport(UIKit) && !os(visionOS)
    return Double(UIScreen.main.maximumFramesPerSecond)
    #elseif canImport(AppKit) && !canImport(UIKit)
    return Double(NSScreen.main?.maximumFramesPerSecond ?? 60)
    #else
    return 90
    #endif
}

/// System and version, such as `iPadOS 18.2`.
@MainActor
func systemDescription() -> String {
    #if canImport(UIKit)
    return "\(UIDevice.current.systemName) \(UIDevice.current.systemVersion)"
    #else
    let version = ProcessInfo.processInfo.operatingSystemVersion
    return "macOS \(version.majorVersion).\(version.minorVersion).\(version.patchVersion)"
    #endif
}

/// Whether Low Power Mode is on.
func isLowPowerModeEnabled() -> Bool {
    #if canImport(Darwin)
    return ProcessInfo.processInfo.isLowPowerModeEnabled
    #else
    return false
    #endif
}

/// Whether this was built without optimization. Nobody documents which flags Swift Playgrounds sets;
/// an assertion is evaluated in such builds alone.
func isDebugBuild() -> Bool {
    var isDebug = false
    assert(
        {
            isDebug = true
            return true
        }())
    return isDebug
}
