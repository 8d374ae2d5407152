// The part of Combine that the app uses, as Apple documents it; see LinuxStubs/README.md.

public protocol Cancellable {
    func cancel()
}

public protocol ObservableObject: AnyObject {}

@propertyWrapper
public struct Published<Value> {
    public var wrappedValue: Value

    public init(wrappedValue: Value) {
        self.wrappedValue = wrappedValue
    }
}
