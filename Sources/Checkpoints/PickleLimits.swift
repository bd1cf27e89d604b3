/// What one pickle may claim, far above what a checkpoint of a thousand layers needs.
enum PickleLimits {
  /// Open containers around a value.
  static let nesting = 1_000
  /// Entries of the memo, values on the stack, containers.
  static let values = 1_000_000
  /// Elements of all containers together.
  static let elements = 4_000_000
  /// Modules inside modules.
  static let moduleNesting = 64
  /// Parameters and buffers of one network.
  static let tensorsOfNetwork = 100_000
  /// Containers inside plain metadata.
  static let plainNesting = 32
}
