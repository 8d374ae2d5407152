import SwiftUI

/// The app of the App Playground, in which all sources are one module.
@main
struct NelfBenchApp: App {
    var body: some Scene {
        WindowGroup {
            BenchRootView()
        }
    }
}
