import Diagnostics
import JobFolder

/// A request and all that its answer depends on.
package struct RequestFacts: Sendable, Equatable {
  /// What is asked.
  package let request: JobRequest
  /// Its file's name in `incoming/`.
  package let name: String
  /// Whose the file is.
  package var owner: UInt32
  /// What that user is called.
  package var ownerName: String
  /// Whether it is a plain file with one name.
  package var isPlain: Bool
  /// Tells it from all other requests.
  package var mark: String
  /// Where the job stands; nil where there is none.
  package var state: JobState?
  /// What is known of the job; nil where there is none.
  package var status: FoundStatus?
  /// What the job's owner is called.
  package var jobOwnerName = "nobody"
  /// Of a retry: the step to begin with, empty for where it stopped; or why that cannot be read, now or ever.
  package var step: Answer<String> = .some("")
  /// Of a retry: the job's steps, or why they cannot be read, now or ever.
  package var steps: Answer<[StepPlan]> = .some([])
  /// Of a prune: whether somebody has a file of the job open.
  package var isInUse = false

  /// Something that was read, or why it never can be.
  package enum Answer<Value: Sendable & Equatable>: Sendable, Equatable {
    case some(Value)
    case none(Failure)

    var value: Value {
      get throws(Failure) {
        switch self {
        case .some(let value): return value
        case .none(let failure): throw failure
        }
      }
    }
  }

  /// - Parameters: as the properties.
  package init(
    _ request: JobRequest, name: String, owner: UInt32, ownerName: String, isPlain: Bool, mark: String
  ) {
    (self.request, self.name, self.owner, self.ownerName) = (request, name, owner, ownerName)
    (self.isPlain, self.mark) = (isPlain, mark)
  }
}
