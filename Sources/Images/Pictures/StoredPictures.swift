import Diagnostics
import Files
import Foundation

/// What a data set is to be made of: a folder, a zip or a tar archive of pictures in any format, size and mode.
///
/// Pictures are in the order of their paths' bytes, those of a tar archive in the order in which they lie in it. A picture in
/// a format that is not read, an archive among the pictures, and a link in an archive to what is not there are left out by
/// name; other files are counted.
public final class StoredPictures {
  /// The file or folder.
  public let path: String
  /// The paths of the pictures inside it.
  public let names: [ByteName]
  /// What is no picture.
  public let leftOut: LeftOut
  /// What may be meant as a picture and is none that is read, with the reason.
  public let refused: [(name: ByteName, reason: String)]
  /// The class of each picture.
  public let classes: PictureClasses
  private let container: any ImageContainer
  private let files: [(name: ByteName, place: Int)]
  private let table: (name: ByteName, place: Int)?

  /// Looks at everything that the source holds; its content says what it is.
  /// - Throws: a `Failure`: `noInput` where there is no such file, `dataError` where it is no intact archive, holds no
  ///   picture, has a link in a folder, or a `dataset.json` that is none or has no label for a picture.
  public init(_ path: String) throws {
    self.path = path
    container = try Self.container(path)
    let census = try EntryCensus(container, .source)
    var images = census.images
    guard !images.isEmpty else {
      let others = census.refused.first.map { "; it holds \($0.name), \($0.reason)" }
      let count = census.leftOut.count > 0 ? "; it holds \(census.leftOut)" : ""
      throw Failure(.dataError, path, "no picture in the \(container.word) that is read\(others ?? count)")
    }
    if container.isSorted { try Self.sort(&images, path) }
    names = images.map(\.name)
    files = images.map(\.file)
    (leftOut, refused) = (census.leftOut, census.refused)
    let shared = PictureClasses.sharedFolders(names)
    table =
      [[], shared].lazy.compactMap { folders in
        census.tables.first { PictureClasses.folders($0.name) == folders }
      }.first
    var labels: LabelTable?
    if let table {
      let json = try container.content(of: table, maximumBytes: LabelTable.maximumBytes(names))
      labels = try LabelTable(json, of: container.path)
    }
    classes = try PictureClasses(
      names, shared: shared, table: table.map { (PictureClasses.folders($0.name), labels?.classes) }, of: path)
  }

  private static func sort(_ images: inout [EntryCensus.Image], _ path: String) throws {
    images.sort { $0.name < $1.name }
    if let twice = zip(images, images.dropFirst()).first(where: { $0.name == $1.name }) {
      throw Failure(.dataError, path, "two entries are named \(twice.0.name)")
    }
  }

  private static func container(_ path: String) throws -> any ImageContainer {
    var status = stat()
    guard stat(path, &status) == 0 else { throw Failure.input(path) }
    if status.st_mode & S_IFMT == S_IFDIR { return FolderContainer(path) }
    let expected = "a folder, a zip or a tar archive of pictures"
    let beginning = try InputFile.beginning(of: path, expected: expected, count: FileGuess.neededBytes)
    if beginning.starts(with: [0x50, 0x4B]) { return try ZipContainer(path) }
    if TarReader.matches(beginning) { return try TarContainer(path) }
    guard PictureRules.source.reads(beginning) || StoredImages.isPicture(beginning) else {
      throw FileGuess.refuse(path, expected: expected)
    }
    throw Failure(
      .dataError, path, "\(expected) is expected; this is a picture", remedy: "give the folder that holds the pictures")
  }

  /// Names a picture in messages.
  public func subject(_ index: Int) -> String { container.subject(names[index]) }

  /// The content of a picture's file; fastest where one follows the other.
  /// - Throws: a `Failure`: `dataError` where it is damaged in the archive or too large, others where it cannot be read.
  public func content(_ index: Int) throws -> [UInt8] {
    try container.content(of: files[index], maximumBytes: PictureRules.source.maximumFileBytes)
  }

  /// A digest of everything that decides over the data set: of the archive, or of a folder's names and digests.
  public func sha256() throws -> String {
    guard container is FolderContainer else { return try SHA256.hexDigest(ofFile: path) }
    var lines = Data()
    func add(_ name: ByteName, _ digest: String) {
      lines.append(contentsOf: name.bytes)
      lines.append(contentsOf: "\n\(digest)\n".utf8)
    }
    for name in names + (table.map { [$0.name] } ?? []) {
      add(name, try SHA256.hexDigest(ofFile: ByteName(Array((path + "/").utf8) + name.bytes)))
    }
    for (name, reason) in refused { add(name, reason) }
    return try SHA256.hexDigest(of: lines)
  }
}
