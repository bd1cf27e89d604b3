import Queue

/// Where what is dropped comes from: `incoming/`, watched.
package protocol IncomingSource: AnyObject {
  /// Reads the folder, and sees to it that it is watched.
  /// - Parameters:
  ///   - nowSeconds: a clock that never goes back.
  ///   - most: how many names to hand out at once; the rest is ready at the next reading.
  ///   - postponed: names that are left alone this time.
  /// - Throws: a `Failure` where the folder cannot be read.
  func news(nowSeconds: Double, most: Int, passingOver postponed: Set<String>) throws -> IncomingNews
}

extension IncomingFolder: IncomingSource {
  package func news(nowSeconds: Double, most: Int, passingOver postponed: Set<String>) throws -> IncomingNews {
    var news = IncomingNews()
    do { try listen() } catch { news.deafness = "\(error)" }
    let reading = try read(nowSeconds: nowSeconds, most: most, passingOver: postponed)
    (news.ready, news.others, news.failures) = (reading.ready, reading.others.map(\.description), reading.failures)
    (news.waitSeconds, news.hasMore) = (reading.waitSeconds, reading.hasMore)
    return news
  }
}
