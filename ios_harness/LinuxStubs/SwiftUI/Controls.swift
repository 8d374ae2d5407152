import CoreGraphics

#if canImport(UIKit)
import UIKit
#else
import AppKit
#endif

public struct Text: View {
    public init<S: StringProtocol>(_ content: S) {}

    public var body: Never { fatalError("there is none") }
}

public struct Image: View {
    public init(decorative cgImage: CGImage, scale: CGFloat) {}

    public var body: Never { fatalError("there is none") }
}

public struct Label: View {
    public init<S: StringProtocol>(_ title: S, systemImage name: String) {}

    public var body: Never { fatalError("there is none") }
}

public struct Group: View {
    public init<Content: View>(@ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct ProgressView: View {
    public init() {}
    public init<S: StringProtocol>(_ title: S) {}
    public init(value: Double?) {}

    public var body: Never { fatalError("there is none") }
}

public struct ContentUnavailableView: View {
    public init<S: StringProtocol>(_ title: S, systemImage name: String, description: Text? = nil) {}

    public var body: Never { fatalError("there is none") }
}

public struct ShareLink: View {
    public init<S: StringProtocol>(_ title: S, item: URL) {}

    public var body: Never { fatalError("there is none") }
}

public struct Button: View {
    public init<S: StringProtocol>(_ title: S, action: @escaping @MainActor () -> Void) {}
    public init<S: StringProtocol>(
        _ title: S, role: ButtonRole?, action: @escaping @MainActor () -> Void
    ) {}

    public var body: Never { fatalError("there is none") }
}

public struct Toggle: View {
    public init<S: StringProtocol>(_ title: S, isOn: Binding<Bool>) {}

    public var body: Never { fatalError("there is none") }
}

public struct Picker<SelectionValue: Hashable>: View {
    public init<S: StringProtocol, Content: View>(
        _ title: S, selection: Binding<SelectionValue>, @ViewBuilder content: () -> Content
    ) {}

    public var body: Never { fatalError("there is none") }
}

public struct HStack: View {
    public init<Content: View>(spacing: CGFloat? = nil, @ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct VStack: View {
    public init<Content: View>(
        alignment: HorizontalAlignment = .center, spacing: CGFloat? = nil,
        @ViewBuilder content: () -> Content
    ) {}

    public var body: Never { fatalError("there is none") }
}

public struct ZStack: View {
    public init<Content: View>(@ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct Grid: View {
    public init<Content: View>(
        alignment: Alignment = .center, horizontalSpacing: CGFloat? = nil,
        verticalSpacing: CGFloat? = nil, @ViewBuilder content: () -> Content
    ) {}

    public var body: Never { fatalError("there is none") }
}

public struct GridRow: View {
    public init<Content: View>(@ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct ScrollView: View {
    public init<Content: View>(_ axes: Axis.Set = .vertical, @ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct TabView: View {
    public init<Content: View>(@ViewBuilder content: () -> Content) {}

    public var body: Never { fatalError("there is none") }
}

public struct List: View {
    public init<Data: RandomAccessCollection, Row: View>(
        _ data: Data, @ViewBuilder rowContent: @escaping (Data.Element) -> Row
    ) where Data.Element: Identifiable {}

    public var body: Never { fatalError("there is none") }
}

public struct ForEach: View {
    public init<Data: RandomAccessCollection, ID: Hashable, Content: View>(
        _ data: Data, id: KeyPath<Data.Element, ID>,
        @ViewBuilder content: @escaping (Data.Element) -> Content
    ) {}

    public var body: Never { fatalError("there is none") }
}

@MainActor
public struct GeometryProxy {
    public var size: CGSize { .zero }
}

public struct GeometryReader: View {
    public init<Content: View>(@ViewBuilder content: @escaping (GeometryProxy) -> Content) {}

    public var body: Never { fatalError("there is none") }
}

#if canImport(UIKit)
@MainActor @preconcurrency
public protocol UIViewRepresentable: View where Body == Never {
    associatedtype UIViewType: UIView
    typealias Context = UIViewRepresentableContext<Self>

    func makeUIView(context: Context) -> UIViewType
    func updateUIView(_ uiView: UIViewType, context: Context)
}

extension UIViewRepresentable {
    public var body: Never { fatalError("there is none") }
}

public struct UIViewRepresentableContext<Representable> {}
#else
@MainActor @preconcurrency
public protocol NSViewRepresentable: View where Body == Never {
    associatedtype NSViewType: NSView
    typealias Context = NSViewRepresentableContext<Self>

    func makeNSView(context: Context) -> NSViewType
    func updateNSView(_ nsView: NSViewType, context: Context)
}

extension NSViewRepresentable {
    public var body: Never { fatalError("there is none") }
}

public struct NSViewRepresentableContext<Representable> {}
#endif

// MARK: Apps

@MainActor @preconcurrency
public protocol Scene {}

@resultBuilder
public enum SceneBuilder {
    public static func buildBlock<Content: Scene>(_ content: Content) -> Content { content }
}

public struct WindowGroup: Scene {
    public init<Content: View>(@ViewBuilder content: () -> Content) {}
}

@MainActor @preconcurrency
public protocol App {
    associatedtype Body: Scene
    @SceneBuilder @MainActor var body: Body { get }

    @MainActor init()
}

extension App {
    public static func main() {}
}
