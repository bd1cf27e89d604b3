import Records

/// What the page found, for the record beside it.
extension ReportPage {
  /// The figures that a job's summary shows.
  public var figures: [String: JSONValue] {
    var figures: [String: JSONValue] = [:]
    if let check = look?.duplicates {
      figures["exact_duplicates"] = .int(check.duplicateCount)
      if let nearest = check.pairs.first { figures["nearest_pair_distance"] = .double(check.distance(nearest)) }
    }
    if let check = training?.check { figures["copies_of_training_pictures"] = .int(check.copies) }
    return figures
  }

  /// What they mean.
  public var details: [String: JSONValue] {
    var details: [String: JSONValue] = [:]
    if let check = look?.duplicates {
      details["duplicates"] = [
        "definition": .string(DuplicateCheck.definition), "compared_images": .int(check.count),
        "exact_duplicates": .int(check.duplicateCount),
        "median_nearest_distance": check.medianNearest.map { .double($0) } ?? .null,
      ]
    }
    if let check = training?.check {
      details["training_pictures"] = [
        "definition": .string(check.definition), "verdict": .string(check.sentence),
        "compared_samples": .int(check.sampleCount), "compared_pictures": .int(check.pictureCount),
        "share_of_pictures": .double(check.share), "copies": .int(check.copies), "threshold": .double(check.threshold),
        "pictures_asked": .int(check.questionedCount), "pictures_with_another_as_near": .int(check.copiesAmong),
        "median_distance": check.medianDistance.map { .double($0) } ?? .null,
        "median_distance_among_pictures": check.medianAmong.map { .double($0) } ?? .null,
      ]
    }
    return details
  }
}
