// swift-tools-version: 5.9

import PackageDescription

// Errors of data races show as warnings in the tests on Linux.
let checked: [SwiftSetting] = [.enableExperimentalFeature("StrictConcurrency")]

var core: [Target.Dependency] = []
var kit: [Target.Dependency] = ["NelfCore"]
var bench: [Target.Dependency] = ["NelfCore", "NelfKit"]
var stubs: [Target] = []

#if os(Linux)
// Declarations that follow Apple's documentation, so that all is type-checked here.
let uses: [(name: String, stubs: [Target.Dependency])] = [
    ("Accelerate", []), ("ARKit", []), ("Combine", []), ("CoreGraphics", []),
    ("CoreML", ["CoreVideo"]), ("CoreVideo", ["Metal"]), ("ImageIO", ["CoreGraphics"]),
    ("Metal", []), ("MetalKit", ["Metal", "UIKit"]),
    ("RealityKit", ["ARKit", "Combine", "CoreGraphics", "Metal", "UIKit"]),
    ("SwiftUI", ["Combine", "CoreGraphics", "UIKit"]), ("UIKit", []),
]
stubs = uses.map {
    .target(name: $0.name, dependencies: $0.stubs, path: "LinuxStubs/\($0.name)")
}
let all = uses.map { Target.Dependency(stringLiteral: $0.name) }
kit += all
bench += all
let notTested = ["Vectors"]
#else
// What needs packages of the stub of Core ML.
let notTested = ["Vectors", "Kit", "StubPackages.swift", "Bench/WholeBenchmarkTests.swift"]
#endif

let package = Package(
    name: "NelfKit",
    platforms: [.iOS(.v17), .macOS(.v14), .visionOS(.v1)],
    products: [
        .library(name: "NelfCore", targets: ["NelfCore"]),
        .library(name: "NelfKit", targets: ["NelfKit"]),
        .library(name: "NelfBench", targets: ["NelfBench"]),
    ],
    targets: [
        .target(name: "NelfCore", swiftSettings: checked),
        .target(name: "NelfKit", dependencies: kit, swiftSettings: checked),
        .target(name: "NelfBench", dependencies: bench, swiftSettings: checked),
        .testTarget(
            name: "NelfTests", dependencies: bench + ["NelfBench"], exclude: notTested),
    ] + stubs
)
