import Files

/// Files and folders that systems and tools leave beside what a person put there.
struct Sidecar {
  /// What it is in words.
  let reason: String
  /// The file, or the folder of such files: that counts as one, and is not looked into.
  let root: ByteName

  /// - Parameters:
  ///   - name: a path inside a folder or archive.
  ///   - isFolder: whether it is that of a folder.
  /// - Returns: nil for a file of a person's.
  init?(_ name: ByteName, isFolder: Bool = false) {
    let components = name.bytes.split(separator: UInt8(ascii: "/")).filter { $0 != [UInt8(ascii: ".")] }
    for count in components.indices.map({ $0 + 1 }) {
      let path = components.prefix(count)
      guard let last = path.last else { continue }
      if let reason = Self.reason(last) {
        (self.reason, root) = (reason, ByteName(path.joined(separator: [UInt8(ascii: "/")])))
        return
      }
    }
    guard !isFolder, components.count == 1, components[0].elementsEqual("dataset.json".utf8) else { return nil }
    (reason, root) = ("table of labels", name)
  }

  private static func reason(_ component: ArraySlice<UInt8>) -> String? {
    if component.elementsEqual("__MACOSX".utf8) || component.starts(with: "._".utf8)
      || component.elementsEqual(".DS_Store".utf8) || component.elementsEqual("Icon\r".utf8)
    {
      return "macOS sidecar"
    }
    let lower = String(decoding: component, as: UTF8.self).lowercased()
    if ["thumbs.db", "ehthumbs.db", "desktop.ini"].contains(lower) { return "Windows sidecar" }
    if component.elementsEqual("@eaDir".utf8) { return "Synology sidecar" }
    return component.first == UInt8(ascii: ".") && !component.elementsEqual("..".utf8) ? "hidden file" : nil
  }
}
