import Compute

/// Some rows of others, in an order of their own.
struct SelectedRows<Places: RandomAccessCollection>: FeatureRows where Places.Element == Int {
  private let source: any FeatureRows
  private let places: Places

  var count: Int { places.count }
  var width: Int { source.width }

  /// - Parameters:
  ///   - source: all rows.
  ///   - places: which of them, in this order; a range for rows that follow each other.
  init(_ source: any FeatureRows, at places: Places) { (self.source, self.places) = (source, places) }

  func rows(_ range: Range<Int>) throws -> Tensor {
    var runs: [Range<Int>] = []
    for place in places.dropFirst(range.lowerBound).prefix(range.count) {
      if let last = runs.last, last.upperBound == place {
        runs[runs.count - 1] = last.lowerBound..<place + 1
      } else {
        runs.append(place..<place + 1)
      }
    }
    if runs.count == 1 { return try source.rows(runs[0]) }
    return try Tensor(shape: [range.count, width]) { target in
      var row = 0
      for run in runs {
        try source.rows(run).values.withUnsafeBufferPointer { values in
          if let base = values.baseAddress { (target + row * width).update(from: base, count: values.count) }
        }
        row += run.count
      }
    }
  }
}
