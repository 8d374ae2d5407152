// The part of SwiftUI that the app uses, as Apple documents it; see LinuxStubs/README.md. Modifiers
// return `some View` of no use but to be type-checked.

@_exported import Combine
import CoreGraphics
@_exported import Foundation

// MARK: Views and builders

@MainActor @preconcurrency
public protocol View {
    associatedtype Body: View
    @ViewBuilder @MainActor var body: Body { get }
}

extension Never: View {
    public var body: Never { fatalError("there is none") }
}

extension Optional: View where Wrapped: View {
    public var body: Never { fatalError("there is none") }
}

public struct EmptyView: View {
    public init() {}

    public var body: Never { fatalError("there is none") }
}

/// Stands for what any container or modifier returns.
public struct SomeView: View {
    public var body: Never { fatalError("there is none") }
}

public struct TupleView<T>: View {
    public var body: Never { fatalError("there is none") }
}

public struct _ConditionalContent<First: View, Second: View>: View {
    public var body: Never { fatalError("there is none") }
}

@resultBuilder
public enum ViewBuilder {
    public static func buildExpression<Content: View>(_ content: Content) -> Content { content }

    public static func buildBlock() -> EmptyView { EmptyView() }

    public static func buildBlock<Content: View>(_ content: Content) -> Content { content }

    public static func buildBlock<each Content: View>(
        _ content: repeat each Content
    ) -> TupleView<(repeat each Content)> {
        TupleView()
    }

    public static func buildIf<Content: View>(_ content: Content?) -> Content? { content }

    public static func buildEither<First: View, Second: View>(
        first: First
    ) -> _ConditionalContent<First, Second> {
        _ConditionalContent()
    }

    public static func buildEither<First: View, Second: View>(
        second: Second
    ) -> _ConditionalContent<First, Second> {
        _ConditionalContent()
    }
}

// MARK: State

@propertyWrapper
public struct State<Value> {
    public var wrappedValue: Value {
        get { fatalError("there is none") }
        nonmutating set {}
    }

    public init(wrappedValue: Value) {}

    public var projectedValue: Binding<Value> { fatalError("there is none") }
}

@propertyWrapper @dynamicMemberLookup
public struct Binding<Value> {
    public var wrappedValue: Value {
        get { fatalError("there is none") }
        nonmutating set {}
    }

    public var projectedValue: Binding<Value> { self }

    public init(get: @escaping @Sendable () -> Value, set: @escaping @Sendable (Value) -> Void) {}

    public subscript<Subject>(
        dynamicMember keyPath: WritableKeyPath<Value, Subject>
    ) -> Binding<Subject> {
        fatalError("there is none")
    }
}

@propertyWrapper @MainActor @preconcurrency
public struct ObservedObject<ObjectType: ObservableObject> {
    public let wrappedValue: ObjectType

    public init(wrappedValue: ObjectType) {
        self.wrappedValue = wrappedValue
    }

    public var projectedValue: Wrapper { Wrapper() }

    @dynamicMemberLookup @MainActor
    public struct Wrapper {
        public subscript<Subject>(
            dynamicMember keyPath: ReferenceWritableKeyPath<ObjectType, Subject>
        ) -> Binding<Subject> {
            fatalError("there is none")
        }
    }
}

@propertyWrapper
public struct StateObject<ObjectType: ObservableObject> {
    private let made: () -> ObjectType

    public init(wrappedValue thunk: @autoclosure @escaping () -> ObjectType) {
        made = thunk
    }

    @MainActor public var wrappedValue: ObjectType { made() }

    @MainActor public var projectedValue: ObservedObject<ObjectType>.Wrapper { .init() }
}

public struct EnvironmentValues {
    public var scenePhase: ScenePhase { .active }
}

public enum ScenePhase: Sendable {
    case background, inactive, active
}

@propertyWrapper
public struct Environment<Value> {
    public init(_ keyPath: KeyPath<EnvironmentValues, Value>) {}

    public var wrappedValue: Value { fatalError("there is none") }
}

// MARK: Values

public struct Alignment: Sendable {
    public static let center = Alignment()
    public static let bottom = Alignment()
    public static let leading = Alignment()
}

public enum HorizontalAlignment: Sendable {
    case leading, center, trailing
}

public enum TextAlignment: Sendable {
    case leading, center, trailing
}

public enum ContentMode: Sendable {
    case fit, fill
}

public struct Axis {
    public struct Set: OptionSet, Sendable {
        public let rawValue: Int

        public init(rawValue: Int) {
            self.rawValue = rawValue
        }

        public static let horizontal = Set(rawValue: 1)
        public static let vertical = Set(rawValue: 2)
    }
}

public struct ButtonRole: Sendable {
    public static let destructive = ButtonRole()
}

public protocol ShapeStyle {}

public struct Color: ShapeStyle, View, Sendable {
    public var body: Never { fatalError("there is none") }

    public static let black = Color()
}

extension ShapeStyle where Self == Color {
    public static var red: Color { Color() }
    public static var secondary: Color { Color() }
}

public struct Font: Sendable {
    public static let caption = Font()
}

public protocol Shape: View {}

public struct Rectangle: Shape {
    public init() {}

    public var body: Never { fatalError("there is none") }
}

public protocol PrimitiveButtonStyle {}

public struct BorderedProminentButtonStyle: PrimitiveButtonStyle {}

extension PrimitiveButtonStyle where Self == BorderedProminentButtonStyle {
    public static var borderedProminent: BorderedProminentButtonStyle { .init() }
}

public protocol PickerStyle {}

public struct MenuPickerStyle: PickerStyle {}

extension PickerStyle where Self == MenuPickerStyle {
    public static var menu: MenuPickerStyle { .init() }
}

// MARK: Gestures

@MainActor @preconcurrency
public protocol Gesture<Value> {
    associatedtype Value
}

public struct SomeGesture<Value>: Gesture {}

extension Gesture {
    public func onChanged(_ action: @escaping (Value) -> Void) -> SomeGesture<Value> { .init() }

    public func onEnded(_ action: @escaping (Value) -> Void) -> SomeGesture<Value> { .init() }

    public func simultaneously<Other: Gesture>(with other: Other) -> SomeGesture<(Value?, Other.Value?)> {
        .init()
    }
}

public struct DragGesture: Gesture {
    public struct Value: Sendable {
        public var translation: CGSize
    }

    public nonisolated init(minimumDistance: CGFloat = 10) {}
}

public struct MagnifyGesture: Gesture {
    public struct Value: Sendable {
        public var magnification: CGFloat
    }

    public nonisolated init() {}
}

// MARK: Modifiers

extension View {
    public func padding() -> some View { SomeView() }
    public func bold() -> some View { SomeView() }
    public func monospacedDigit() -> some View { SomeView() }
    public func resizable() -> SomeView { SomeView() }
    public func scaledToFit() -> some View { SomeView() }
    public func aspectRatio(_ ratio: CGFloat?, contentMode: ContentMode) -> some View { SomeView() }
    public func multilineTextAlignment(_ alignment: TextAlignment) -> some View { SomeView() }
    public func font(_ font: Font?) -> some View { SomeView() }
    public func foregroundStyle<S: ShapeStyle>(_ style: S) -> some View { SomeView() }
    public func background<S: ShapeStyle>(_ style: S) -> some View { SomeView() }
    public func scaleEffect(_ scale: CGFloat) -> some View { SomeView() }
    public func clipped() -> some View { SomeView() }
    public func disabled(_ disabled: Bool) -> some View { SomeView() }
    public func id<ID: Hashable>(_ id: ID) -> some View { SomeView() }
    public func tag<V: Hashable>(_ tag: V) -> some View { SomeView() }
    public func ignoresSafeArea() -> some View { SomeView() }
    public func accessibilityLabel(_ label: Text) -> some View { SomeView() }
    public func contentShape<S: Shape>(_ shape: S) -> some View { SomeView() }
    public func buttonStyle<S: PrimitiveButtonStyle>(_ style: S) -> some View { SomeView() }
    public func pickerStyle<S: PickerStyle>(_ style: S) -> some View { SomeView() }
    public func gesture<T: Gesture>(_ gesture: T) -> some View { SomeView() }
    public func onTapGesture(
        count: Int = 1, perform action: @escaping (CGPoint) -> Void
    ) -> some View { SomeView() }
    public func onAppear(perform action: (() -> Void)? = nil) -> some View { SomeView() }
    public func onDisappear(perform action: (() -> Void)? = nil) -> some View { SomeView() }
    public func onChange<V: Equatable>(
        of value: V, initial: Bool = false, _ action: @escaping (V, V) -> Void
    ) -> some View { SomeView() }
    public func task(
        @_inheritActorContext _ action: sending @escaping @isolated(any) () async -> Void
    ) -> some View { SomeView() }
    public func task<T: Equatable>(
        id value: T, @_inheritActorContext _ action: sending @escaping @isolated(any) () async -> Void
    ) -> some View { SomeView() }
    public func tabItem<V: View>(@ViewBuilder _ label: () -> V) -> some View { SomeView() }
    public func overlay<V: View>(
        alignment: Alignment = .center, @ViewBuilder content: () -> V
    ) -> some View { SomeView() }
    public func frame(
        width: CGFloat? = nil, height: CGFloat? = nil, alignment: Alignment = .center
    ) -> some View { SomeView() }
    public func frame(
        minWidth: CGFloat? = nil, idealWidth: CGFloat? = nil, maxWidth: CGFloat? = nil,
        minHeight: CGFloat? = nil, idealHeight: CGFloat? = nil, maxHeight: CGFloat? = nil,
        alignment: Alignment = .center
    ) -> some View { SomeView() }
}
