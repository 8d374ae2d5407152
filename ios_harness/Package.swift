// swift-tools-version: 5.9

import PackageDescription

// Errors of data races show as warnings in the tests on Linux.
let checked: [SwiftSetting] = [.enableExperimentalFeature("StrictConcurrency")]

var products: [Product] = [
    .library(name: "NelfBenchCore", targets: ["NelfBenchCore"]),
    .library(name: "NelfBenchCoreML", targets: ["NelfBenchCoreML"]),
]
var coreMLDependencies: [Target.Dependency] = ["NelfBenchCore"]
var platformTargets: [Target] = []

#if os(Linux)
// Declarations that follow Apple's documentation, so that the Core ML layer is type-checked here.
platformTargets = [
    .target(name: "CoreML", dependencies: ["CoreVideo"], path: "LinuxStubs/CoreML"),
    .target(name: "CoreVideo", path: "LinuxStubs/CoreVideo"),
]
coreMLDependencies += ["CoreML", "CoreVideo"]
#else
products.append(.library(name: "NelfBenchUI", targets: ["NelfBenchUI"]))
platformTargets = [
    .target(
        name: "NelfBenchUI",
        dependencies: ["NelfBenchCore", "NelfBenchCoreML"],
        swiftSettings: checked)
]
#endif

let package = Package(
    name: "NelfBench",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: products,
    targets: [
        .target(name: "NelfBenchCore", swiftSettings: checked),
        .target(
            name: "NelfBenchCoreML", dependencies: coreMLDependencies, swiftSettings: checked),
        .testTarget(
            name: "NelfBenchCoreTests",
            dependencies: ["NelfBenchCore"],
            exclude: ["Vectors"]),
        .testTarget(
            name: "NelfBenchCoreMLTests", dependencies: ["NelfBenchCoreML", "NelfBenchCore"]),
    ] + platformTargets
)
