"""Target coreml: packages for iOS and iPadOS, and the app that shows and measures them."""
