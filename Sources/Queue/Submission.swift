/// What stands in `incoming/` under a name, before it is accepted.
package struct Submission: Sendable, Equatable {
  /// The user it belongs to.
  package let user: UInt32
  /// What that user is called.
  package let userName: String
  /// Its size in bytes.
  package let bytes: Int
  /// The priority it asks for.
  package let priority: Int

  /// - Parameters: as the properties.
  package init(user: UInt32, userName: String, bytes: Int, priority: Int) {
    (self.user, self.userName, self.bytes, self.priority) = (user, userName, bytes, priority)
  }
}
