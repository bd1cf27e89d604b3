import Diagnostics
import Files
import Foundation

/// A folder of PNG files named by their seeds as the official script names them, `000123.png`, or with `subdirs`
/// `000000/000123.png`, a folder for every thousand. `dataset.json` holds the labels as in EDM's data sets.
public final class PNGFolderSink: ImageSink {
  /// It holds PNG files.
  public static let takesPNG = true
  private let folder: String
  private let hasSubfolders: Bool
  private let labels: DatasetLabels
  private var lastSubfolder = ""

  /// - Parameters:
  ///   - folder: exists and is empty.
  ///   - subdirs: a folder for every thousand seeds.
  ///   - hasLabels: whether every image has a class.
  public init(folder: String, subdirs: Bool, hasLabels: Bool) throws {
    self.folder = folder
    hasSubfolders = subdirs
    labels = try DatasetLabels(besides: folder + "/dataset.json", hasLabels: hasLabels)
  }

  /// Writes an image.
  public func add(_ image: ExportedImage) throws {
    var name = padded(image.seed, 6) + ".png"
    if hasSubfolders {
      let subfolder = padded(image.seed - image.seed % 1000, 6)
      if subfolder != lastSubfolder {
        let path = folder + "/" + subfolder
        guard mkdir(path, 0o755) == 0 || errno == EEXIST else { throw Failure.system(path, "create") }
        lastSubfolder = subfolder
      }
      name = subfolder + "/" + name
    }
    try Self.create(folder + "/" + name) { try $0.write(image.png) }
    try labels.add(name, image.label)
  }

  /// Writes `dataset.json`.
  public func finish() throws {
    try Self.create(folder + "/dataset.json") { file in try labels.forEachBlock { try file.write($0) } }
  }

  /// Writes a file that must not be there yet.
  private static func create(_ path: String, _ body: (OutputFile) throws -> Void) throws {
    let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard descriptor >= 0 else { throw Failure.system(path, "create") }
    close(descriptor)
    let file = try OutputFile(path)
    try body(file)
    try file.flush()
  }
}
