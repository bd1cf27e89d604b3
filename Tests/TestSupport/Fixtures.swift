import Foundation

/// The recorded vectors and files that the tests compare with: `Tests/Fixtures` of this repository.
public enum Fixtures {
  /// The folder, found from this source file.
  public static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appendingPathComponent("Fixtures").path

  /// The folder of this repository.
  public static let repository = URL(fileURLWithPath: folder).deletingLastPathComponent().deletingLastPathComponent()
    .path

  /// The path of one fixture, for example `golden/nets/edm_ddpmpp_cond.h5`.
  public static func path(_ name: String) -> String { folder + "/" + name }

  /// The path of a file of the digits example, which the tests share with users: `pipeline/digits` of this repository.
  public static func digits(_ name: String) -> String { repository + "/pipeline/digits/" + name }
}

/// A folder that exists as long as the test that made it.
public final class TemporaryFolder: Sendable {
  /// Its absolute path.
  public let path: String

  /// Creates an empty folder below the system's temporary folder.
  public init() throws {
    path = NSTemporaryDirectory() + "sid-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// A path inside it.
  public func file(_ name: String) -> String { path + "/" + name }
}
