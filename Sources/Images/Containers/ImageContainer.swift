import Diagnostics
import Files

/// An entry of a folder or an archive.
struct StoredEntry {
  /// What an entry is to the file system.
  enum Form {
    case file
    /// A link to a path from the folder in which the entry lies.
    case symbolicLink(ByteName)
    /// Another name of an earlier entry, by its path in the archive.
    case hardLink(ByteName)
  }

  /// Its path inside the container.
  let name: ByteName
  let form: Form
  /// Where the container finds it again.
  let place: Int
}

/// What holds images beside other files: a folder, a zip or a tar archive.
protocol ImageContainer: AnyObject {
  /// The file or folder.
  var path: String { get }
  /// What it is in words: "zip archive".
  var word: String { get }
  /// Whether the images come in the order of their names' bytes; otherwise in the order in which they lie in it.
  var isSorted: Bool { get }
  /// What is to be said of the container beside what it holds; complete when every entry was given.
  var remarks: Set<String> { get }
  /// Calls `body` with every entry, folders excepted, and a function that reads the first bytes of its content.
  /// - Throws: a `Failure` where the container is damaged or has an entry that is neither file nor link, or what `body`
  ///   throws.
  func forEachEntry(_ body: (StoredEntry, _ beginning: () throws -> [UInt8]) throws -> Void) throws
  /// The whole content of a file's entry; fastest where entries follow each other.
  /// - Throws: a `Failure` with status `dataError` where it is damaged or larger than `maximumBytes`.
  func content(of entry: (name: ByteName, place: Int), maximumBytes: Int) throws -> [UInt8]
}

extension ImageContainer {
  var remarks: Set<String> { [] }
  /// Names an entry in messages: the path through the container.
  func subject(_ name: ByteName) -> String { path + "/" + name.description }
}

/// Failures that archives of several kinds share.
enum ContainerFailure {
  /// An entry that its name makes a folder, and its content a file: unpacking would drop the content.
  static func folderWithContent(_ name: ByteName, _ sizeBytes: Int, in path: String) -> Failure {
    Failure(
      .dataError, "\(path)/\(name)", "it is named as a folder and holds \(sizeBytes) bytes",
      remedy: "make the archive again with a name that does not end in \"/\"")
  }
}
