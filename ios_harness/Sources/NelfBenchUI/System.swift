import Foundation

#if canImport(UIKit)
import UIKit
#endif

/// Keeps the screen from locking: in runs of minutes it would, and a locked device renders nothing.
@MainActor
func keepScreenOn(_ isOn: Bool) {
    #if canImport(UIKit)
    UIApplication.shared.isIdleTimerDisabled = isOn
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
