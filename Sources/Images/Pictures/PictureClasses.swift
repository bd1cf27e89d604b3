import Diagnostics
import Files

/// Which class each picture of a source has.
///
/// A `dataset.json` decides, also where it says that there are no classes. Without one it is the folder directly beneath the
/// source, or beneath the folders that all pictures share, in the order of the names' bytes. Pictures outside of any such
/// folder, or all in one, have no classes.
public struct PictureClasses: Sendable {
  /// Where classes come from.
  public enum Origin: Sendable, Equatable {
    /// `dataset.json`.
    case table
    /// The folders.
    case folders
    /// There are none.
    case none
  }

  /// Where the classes come from.
  public let origin: Origin
  /// How many pictures lie outside of the folders that others lie in.
  public let outside: Int
  private let numbers: [Int]
  private let folders: [ByteName]

  /// - Parameters:
  ///   - names: the pictures' paths.
  ///   - shared: the folders that all of them share.
  ///   - table: the folders in which a `dataset.json` lies, and its classes by the paths beneath them.
  ///   - path: the source, for errors.
  /// - Throws: a `Failure` with status `dataError` where the table has no label for a picture.
  init(
    _ names: [ByteName], shared: [ByteName], table: (folders: [ByteName], classes: [ByteName: Int]?)?, of path: String
  )
    throws
  {
    if let table {
      (folders, outside) = ([], 0)
      guard let classes = table.classes else {
        (origin, numbers) = (.none, [])
        return
      }
      origin = .table
      numbers = try names.map { name in
        let inside = Self.components(name).dropFirst(table.folders.count)
        guard let label = classes[ByteName(inside.map(\.bytes).joined(separator: [UInt8(ascii: "/")]))] else {
          throw LabelTable.missing(name, in: path)
        }
        return label
      }
      return
    }
    let own = names.map { Self.folders($0).dropFirst(shared.count).first }
    let within = own.compactMap { $0 }
    folders = Set(within).sorted()
    outside = within.isEmpty ? 0 : own.count - within.count
    guard folders.count > 1, outside == 0 else {
      (origin, numbers) = (.none, [])
      return
    }
    let places = Dictionary(uniqueKeysWithValues: folders.enumerated().map { ($1, $0) })
    (origin, numbers) = (.folders, within.map { places[$0] ?? 0 })
  }

  /// The classes of those pictures that came into the data set: numbers of folders count those that have any.
  /// - Parameter indices: of the pictures among all.
  /// - Returns: nil where there are no classes; the names of the folders by number.
  public func labels(of indices: [Int]) -> (labels: [Int], folders: [ByteName])? {
    switch origin {
    case .none: return nil
    case .table: return (indices.map { numbers[$0] }, [])
    case .folders:
      let used = Set(indices.map { numbers[$0] }).sorted()
      let places = Dictionary(uniqueKeysWithValues: used.enumerated().map { ($1, $0) })
      return (indices.map { places[numbers[$0]] ?? 0 }, used.map { folders[$0] })
    }
  }

  /// The parts of a path; `.` is none.
  private static func components(_ name: ByteName) -> [ByteName] {
    name.bytes.split(separator: UInt8(ascii: "/")).map { ByteName($0) }.filter { $0 != ByteName(".") }
  }

  /// The folders that a file lies in.
  static func folders(_ name: ByteName) -> [ByteName] { Array(components(name).dropLast()) }

  /// The folders that all files lie in, from the outermost on.
  static func sharedFolders(_ names: [ByteName]) -> [ByteName] {
    var shared = names.first.map { folders($0) } ?? []
    for name in names {
      let common = zip(shared, folders(name)).prefix { $0 == $1 }.count
      if common < shared.count { shared.removeSubrange(common...) }
    }
    return shared
  }
}
