import Diagnostics
import Files

/// Everything that a container holds, entry by entry.
struct EntryCensus {
  /// An image: its path, and the file that holds its content, which is another one for a link.
  struct Image {
    let name: ByteName
    let file: (name: ByteName, place: Int)
  }

  /// In the order of the container.
  private(set) var images: [Image] = []
  /// What may hold images itself.
  private(set) var archives: [(name: ByteName, kind: String)] = []
  private(set) var leftOut = LeftOut()
  /// What is no image that is read and may be meant as one, with the reason: of a source alone.
  private(set) var refused: [(name: ByteName, reason: String)] = []
  /// Files named `dataset.json`, wherever they lie: of a source alone.
  private(set) var tables: [(name: ByteName, place: Int)] = []
  private let rules: PictureRules

  /// - Throws: a `Failure` where the container is damaged, and of a data set also naming the entry that is a picture in a
  ///   format that is not read, or a link to what is not there; `Interrupted` where the process was asked to stop.
  init(_ container: any ImageContainer, _ rules: PictureRules) throws {
    self.rules = rules
    var entries: [StoredEntry] = []
    // nil for links, whose targets may come later.
    var kinds: [EntryKind?] = []
    try container.forEachEntry { entry, beginning in
      try Interruption.check()
      entries.append(entry)
      switch entry.form {
      case _ where Sidecar(entry.name) != nil: kinds.append(.leftOut("sidecar"))
      case .file: kinds.append(try EntryKind(name: entry.name, rules, beginning: beginning))
      case .symbolicLink, .hardLink: kinds.append(nil)
      }
    }
    for remark in container.remarks { leftOut.remark(remark) }
    let links = kinds.contains { $0 == nil } ? LinkTable(entries) : nil
    // Unpacking a tar archive puts a later entry in the place of an earlier one of its name.
    let replaced = container.isSorted ? [] : LinkTable.replaced(entries)
    var sidecars: Set<ByteName> = []
    for (index, entry) in entries.enumerated() {
      try Interruption.check()
      if rules == .source, case .file = entry.form, entry.name.lastComponent == ByteName("dataset.json"),
        !replaced.contains(index)
      {
        tables.append((entry.name, entry.place))
        leftOut.add(entry.name, reason: "table of labels")
        continue
      }
      if let sidecar = Sidecar(entry.name) {
        // A folder of them counts as one, as where it is not looked into.
        if sidecars.insert(sidecar.root).inserted { leftOut.add(sidecar.root, reason: sidecar.reason) }
        continue
      }
      if replaced.contains(index) {
        leftOut.add(entry.name, reason: "replaced by a later entry")
        continue
      }
      guard kinds[index] == nil, let links else {
        try take(entry.name, kinds[index] ?? .leftOut("link"), of: entry, container)
        continue
      }
      let target: (index: Int, entry: StoredEntry)
      do {
        target = try Self.target(of: index, entries, links, container)
      } catch let failure as Failure where rules == .source && failure.status == .dataError {
        refused.append((entry.name, failure.problem))
        continue
      }
      try take(entry.name, kind(of: target, kinds[target.index], container), of: target.entry, container)
    }
  }

  private mutating func take(
    _ name: ByteName, _ kind: EntryKind, of file: StoredEntry, _ container: any ImageContainer
  ) throws {
    switch kind {
    case .image: images.append(Image(name: name, file: (file.name, file.place)))
    case .foreignPicture(let picture) where rules == .source:
      refused.append((name, "\(picture): PNG, JPEG, PPM, PGM and PBM images are read"))
    case .archive(let kind) where rules == .source: refused.append((name, "\(kind), which is not looked into"))
    case .foreignPicture(let picture): throw ImageDecoder.refused(container.subject(name), picture)
    case .archive(let kind): archives.append((name, kind))
    case .leftOut(let reason): leftOut.add(name, reason: reason)
    }
  }

  private static func target(
    of index: Int, _ entries: [StoredEntry], _ links: LinkTable, _ container: any ImageContainer
  ) throws -> (index: Int, entry: StoredEntry) {
    do {
      let target = try links.file(of: index)
      return (target, entries[target])
    } catch {
      let shown: String
      switch entries[index].form {
      case .symbolicLink(let target), .hardLink(let target): shown = target.description
      case .file: shown = ""
      }
      throw Failure(
        .dataError, container.subject(entries[index].name), "a link to \(shown), \(error.rawValue)",
        remedy: "store a copy of the file, or take the link out")
    }
  }

  /// What a link stands for. A place that hides its target hides nothing from the link (git-annex keeps content so).
  private func kind(
    of target: (index: Int, entry: StoredEntry), _ known: EntryKind?, _ container: any ImageContainer
  ) throws -> EntryKind {
    if let known, Sidecar(target.entry.name) == nil { return known }
    let content = try container.content(
      of: (target.entry.name, target.entry.place), maximumBytes: rules.maximumFileBytes)
    return EntryKind(
      suffix: target.entry.name.pathExtension, rules, beginning: Array(content.prefix(EntryKind.neededBytes)))
  }
}
