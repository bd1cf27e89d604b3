import Files

/// Remembers which names of `incoming/` that are neither job files nor on their way were reported: each is once.
struct OtherNames {
  /// Programs make files of passing names for a moment; what stands there at the first reading is no such file.
  static let settleSeconds = 2.0

  private var sinceSeconds: [ByteName: Double] = [:]
  private var reported: Set<ByteName> = []
  private var isFirst = true

  /// One reading of the folder.
  /// - Parameters:
  ///   - names: all such names that stand there.
  ///   - nowSeconds: a clock that never goes back.
  /// - Returns: those to report, and how many seconds until there may be more; nil where none wait.
  mutating func read(_ names: [ByteName], nowSeconds: Double) -> (report: [ByteName], waitSeconds: Double?) {
    let present = Set(names)
    defer { isFirst = false }
    reported.formIntersection(present)
    sinceSeconds = sinceSeconds.filter { present.contains($0.key) }
    var wait: Double?
    var due: [ByteName] = []
    for name in present.subtracting(reported) {
      let since = sinceSeconds[name] ?? (isFirst ? -.infinity : nowSeconds)
      let rest = Self.settleSeconds - (nowSeconds - since)
      if rest <= 0 {
        due.append(name)
        sinceSeconds[name] = nil
      } else {
        sinceSeconds[name] = since
        wait = min(wait ?? rest, rest)
      }
    }
    reported.formUnion(due)
    return (due.sorted(), wait)
  }
}
