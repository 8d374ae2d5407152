import Metal
import XCTest

@testable import NelfKit

/// What only Apple's own Metal can say; skipped where there is none.
final class RealMetalTests: XCTestCase {
    func testTheKernelComputesTheInputs() async throws {
        guard let device = MTLCreateSystemDefaultDevice() else {
            throw XCTSkip("there is no Metal device")
        }
        // In shared memory and in Metal's own.
        for (width, height) in [(40, 6), (7, 5)] {
            try await assertInputsByMetal(
                contract: embeddedContract(width: width, height: height), device: device)
        }
    }

    @MainActor
    func testTheShadersThatDrawAreCompiled() async throws {
        guard MTLCreateSystemDefaultDevice() != nil else {
            throw XCTSkip("there is no Metal device")
        }
        _ = try FrameRenderer.shared.get()
    }
}
